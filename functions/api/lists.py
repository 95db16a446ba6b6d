"""Black, grey and white lists: entries, look-ups, removal by two persons, imports."""

from __future__ import annotations

from chalice.app import Blueprint

from api.cursors import following, window
from api.list_schemas import (
    EntryGiven,
    EntryList,
    EntryView,
    ImportList,
    ImportView,
    ListChange,
    ListChanges,
    RejectedLines,
    RejectedQuery,
    RemovalDecided,
    RemovalProposed,
    Screened,
    SourceQuery,
)
from api.roles import RISK_OFFICERS
from api.routing import Call, route
from api.schemas import Listing, Nothing
from creditmesh.kernel.caller import STAFF, Role
from creditmesh.kernel.errors import SamePerson
from creditmesh.screening.bootstrap import list_entries, list_imports, list_journal, lists
from creditmesh.screening.import_model import ImportStateConflict, NewImport
from creditmesh.screening.model import EntryStateConflict, Screening

blueprint = Blueprint(__name__)

KEEPERS = frozenset({Role.RISK_OFFICER, Role.MANAGER})
"""Who may take part in a removal; it takes two of them."""


@route(blueprint, "POST", "/v1/lists/entries", roles=RISK_OFFICERS, status=201, raises=[EntryStateConflict])
def enter_entry(call: Call, body: EntryGiven) -> EntryView:
    """Add a subject to a list, replacing an earlier entry of the same source and subject."""
    return EntryView.of(list_entries().enter(body, call.caller.subject))


@route(blueprint, "GET", "/v1/lists/entries/{entry_id}", roles=STAFF)
def read_entry(call: Call, entry_id: str) -> EntryView:
    """Read an entry with its history; also one of an import."""
    return EntryView.of(list_entries().get(entry_id))


@route(blueprint, "POST", "/v1/lists/entries/{entry_id}/removal", roles=KEEPERS, raises=[EntryStateConflict])
def propose_removal(call: Call, entry_id: str, body: RemovalProposed) -> EntryView:
    """Propose to remove an entry; it stays in force until another person confirms."""
    return EntryView.of(list_entries().propose_removal(entry_id, call.caller.subject, body.note))


@route(
    blueprint,
    "POST",
    "/v1/lists/entries/{entry_id}/removal/decision",
    roles=KEEPERS,
    raises=[EntryStateConflict, SamePerson],
)
def decide_removal(call: Call, entry_id: str, body: RemovalDecided) -> EntryView:
    """Confirm or refuse a proposed removal; the proposer cannot confirm it."""
    confirm = body.action == "confirm"
    found = list_entries().decide_removal(entry_id, call.caller.subject, confirm=confirm, note=body.note)
    return EntryView.of(found)


@route(blueprint, "GET", "/v1/lists/removals", roles=STAFF)
def list_removals(call: Call, query: Listing) -> EntryList:
    """List the removals that wait for a second person, oldest first."""
    found = list_entries().proposals(window(call, query))
    return EntryList(entries=[EntryView.of(proposal) for proposal in found], next=following(call, query, found))


@route(blueprint, "GET", "/v1/lists/changes", roles=STAFF)
def list_changes(call: Call, query: Listing) -> ListChanges:
    """List who changed what on the lists, newest first."""
    names = ListChange.model_fields
    found = list_journal().newest(window(call, query))
    shown = [{name: change.get(name) for name in names} for change in found]
    return ListChanges(changes=[ListChange.model_validate(one) for one in shown], next=following(call, query, found))


@route(blueprint, "POST", "/v1/lists/screenings", roles=STAFF)
def screen(call: Call, body: Screened) -> Screening:
    """Look subjects up on all lists; the answer holds entries' ids, never values."""
    return lists().screen(body.subjects, max_age_seconds=body.max_age_seconds)


@route(blueprint, "POST", "/v1/lists/imports", roles=RISK_OFFICERS, status=202, raises=[ImportStateConflict])
def begin_import(call: Call, body: NewImport) -> ImportView:
    """Import a source's whole list, from a file in the data bucket or one to be uploaded."""
    return ImportView.of(*list_imports().create(body, call.caller.subject))


@route(blueprint, "GET", "/v1/lists/imports", roles=STAFF)
def imports_of_source(call: Call, query: SourceQuery) -> ImportList:
    """List a source's imports, newest first."""
    found = list_imports().of_source(query.source, window(call, query))
    return ImportList(imports=[ImportView.of(one) for one in found], next=following(call, query, found))


@route(blueprint, "GET", "/v1/lists/imports/{import_id}", roles=STAFF)
def read_import(call: Call, import_id: str) -> ImportView:
    """Read an import."""
    return ImportView.of(list_imports().get(import_id))


@route(
    blueprint,
    "POST",
    "/v1/lists/imports/{import_id}/run",
    roles=RISK_OFFICERS,
    status=202,
    raises=[ImportStateConflict],
)
def run_import(call: Call, import_id: str, body: Nothing) -> ImportView:
    """Start an import whose file was uploaded, or resume one that failed."""
    return ImportView.of(list_imports().run(import_id, call.caller.subject))


@route(blueprint, "GET", "/v1/lists/imports/{import_id}/rejected", roles=STAFF)
def list_rejected(call: Call, import_id: str, query: RejectedQuery) -> RejectedLines:
    """List the rejected lines: line, field and rule."""
    found = list_imports().rejected(import_id, window(call, query))
    return RejectedLines(rejected=found.items, next=following(call, query, found))
