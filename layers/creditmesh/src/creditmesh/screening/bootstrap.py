"""Wires the context of lists."""

from __future__ import annotations

from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.settings import settings
from creditmesh.screening.entries import ListEntries
from creditmesh.screening.generations import Generations
from creditmesh.screening.import_store import ImportStore
from creditmesh.screening.imported import ImportedEntries
from creditmesh.screening.imports import Imports
from creditmesh.screening.journal import Journal
from creditmesh.screening.service import Lists
from creditmesh.screening.state import Keeper


@singleton
def list_journal() -> Journal:
    return Journal(platform().tables, settings().list_journal_table, platform().clock)


@singleton
def list_generations() -> Generations:
    return Generations(platform().data, platform().bulk_cipher)


@singleton
def list_keeper() -> Keeper:
    return Keeper(list_journal(), list_generations().index)


@singleton
def lists() -> Lists:
    own = platform()
    return Lists(list_keeper(), own.blind_index, own.cipher, settings().list_journal_table, own.clock)


@singleton
def list_import_store() -> ImportStore:
    return ImportStore(platform().tables, settings().list_imports_table, platform().clock)


@singleton
def list_imports() -> Imports:
    own, process = platform(), platform().process(settings().list_import_arn)
    parts = list_import_store(), list_generations(), own.data, list_journal(), list_keeper()
    return Imports(*parts, lambda: own.blind_index, process, own.clock)


@singleton
def list_entries() -> ListEntries:
    own = platform()
    names = settings().list_entries_table, list_journal(), settings().list_journal_table
    imported = ImportedEntries(list_import_store(), list_generations(), list_keeper())
    return ListEntries(own.tables, *names, own.cipher, own.blind_index, own.clock, imported.get)
