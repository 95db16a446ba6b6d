"""Wires the context of channels and key data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from creditmesh.gateway.channels.answers import Answers
from creditmesh.gateway.channels.authentication import Authenticator
from creditmesh.gateway.channels.batch import BatchFiles
from creditmesh.gateway.channels.cache import AnswerCache
from creditmesh.gateway.channels.calls import CallStore
from creditmesh.gateway.channels.catalogue import ChannelCatalogue
from creditmesh.gateway.channels.consent_fields import ConsentFields
from creditmesh.gateway.channels.exchange import Exchanger
from creditmesh.gateway.channels.fetcher import ChannelFetcher
from creditmesh.gateway.channels.guards import Guards
from creditmesh.gateway.channels.health import HealthBook
from creditmesh.gateway.channels.late import LateAnswers
from creditmesh.gateway.channels.records import ReferenceRecords
from creditmesh.gateway.channels.source import Source
from creditmesh.gateway.store import KeyDataStore
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.documents import VersionedDocuments
from creditmesh.platform.settings import settings

if TYPE_CHECKING:
    from creditmesh.gateway.service import Collections


@singleton
def collections() -> Collections:
    from creditmesh.gateway.service import Collections  # with it come the features, which webhooks do not need

    return Collections(channels(), channel_fetcher(), answers(), key_data(), platform().clock)


@singleton
def channels() -> ChannelCatalogue:
    def documents(kind: str) -> VersionedDocuments:
        return VersionedDocuments(platform().tables, settings().documents_table, kind, platform().clock)

    return ChannelCatalogue(documents("channel"), documents("plan"), source())


@singleton
def consent_fields() -> ConsentFields:
    return ConsentFields(channels())


@singleton
def source() -> Source:
    own = platform()
    exchanger = Exchanger(own.http, Authenticator(own.http, own.clock))
    return Source(own.directory, exchanger, BatchFiles(own.data, own.clock), lambda: settings().allowed_origins)


@singleton
def answers() -> Answers:
    return Answers(platform().data, platform().clock)


@singleton
def channel_calls() -> CallStore:
    return CallStore(platform().tables, settings().channel_calls_table, platform().clock)


@singleton
def guards() -> Guards:
    return Guards(platform().tables, settings().channel_states_table, platform().clock)


@singleton
def health() -> HealthBook:
    return HealthBook(platform().tables, settings().channel_states_table, platform().clock)


@singleton
def reference_records() -> ReferenceRecords:
    own = platform()
    return ReferenceRecords(own.tables, settings().reference_records_table, own.cipher, own.blind_index, own.clock)


@singleton
def channel_fetcher() -> ChannelFetcher:
    from creditmesh.authorization.bootstrap import authorizations

    def lookup(record: str, key: str) -> Any:
        return reference_records().get(record, key)

    return ChannelFetcher(
        authorizations(), channel_calls(), guards(), health(), source(), answers(), lookup, platform().clock
    )


@singleton
def late_answers() -> LateAnswers:
    return LateAnswers(channel_calls(), answers(), health(), platform().waits, platform().clock)


@singleton
def answer_cache() -> AnswerCache:
    return AnswerCache(channel_calls(), answers(), platform().waits)


@singleton
def key_data() -> KeyDataStore:
    return KeyDataStore(platform().data)
