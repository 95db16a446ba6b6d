"""Operators: what waits for a person, and the blacklist."""

from __future__ import annotations

from chalice.app import Blueprint

from api.cursors import following, window
from api.roles import OPERATORS, RISK_OFFICERS
from api.routing import Call, route
from api.schemas import BlacklistEntry, OperatorTasks, Resolution, TaskListing
from creditmesh.closing.bootstrap import payments
from creditmesh.closing.model import OrderOutstanding
from creditmesh.intake.bootstrap import operators
from creditmesh.intake.model import NotAwaited
from creditmesh.intake.operators import OperatorTask, RetriedTooOften
from creditmesh.kernel.caller import STAFF
from creditmesh.screening.bootstrap import list_entries
from creditmesh.screening.entries import NewEntry
from creditmesh.screening.model import EntryStateConflict, Kind, ListName

blueprint = Blueprint(__name__)


@route(blueprint, "GET", "/v1/operator-tasks", roles=STAFF)
def list_tasks(call: Call, query: TaskListing) -> OperatorTasks:
    """List the open tasks, oldest first, or the resolved ones, the latest first."""
    found = operators().list(
        call.caller, window(call, query), resolved=query.state == "resolved", stage=query.stage,
        application_id=query.application_id,
    )  # fmt: skip
    return OperatorTasks(tasks=found.items, next=following(call, query, found))


@route(blueprint, "GET", "/v1/operator-tasks/{task_id}", roles=STAFF)
def read_task(call: Call, task_id: str) -> OperatorTask:
    """Read a task; a resolved one tells who resolved it, when and how."""
    return operators().get(call.caller, task_id)


@route(
    blueprint,
    "POST",
    "/v1/operator-tasks/{task_id}/resolution",
    roles=OPERATORS | RISK_OFFICERS,
    raises=[NotAwaited, RetriedTooOften, OrderOutstanding],
)
def resolve(call: Call, task_id: str, body: Resolution) -> OperatorTask:
    """Resolve a task: a risk officer decides a referral, an operator resolves the others."""
    if body.action == "close":
        payments().require_settled(operators().get(call.caller, task_id).application_id)
    return operators().resolve(call.caller, task_id, body.action, body.note)


@route(blueprint, "PUT", "/v1/blacklist", roles=RISK_OFFICERS, status=204, raises=[EntryStateConflict])
def enter_blacklist(call: Call, body: BlacklistEntry) -> None:
    """Put a firm on the blacklist; the source's earlier entry is replaced."""
    new = NewEntry(
        list_name=ListName.BLACK, kind=Kind.TAXPAYER_ID, value=body.taxpayer_id, source=body.source,
        reason_code="entered", text=body.reason, valid_until=body.valid_until,
    )  # fmt: skip
    list_entries().enter(new, call.caller.subject)
