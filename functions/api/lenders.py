"""The platform's grades of lenders, given by two persons."""

from __future__ import annotations

from chalice.app import Blueprint

from api.cursors import following, window
from api.lender_schemas import GradeDecision, LenderList, NewGrade
from api.roles import RISK_OFFICERS
from api.routing import Call, route
from api.schemas import Listing
from creditmesh.kernel.errors import SamePerson
from creditmesh.offers.bootstrap import lenders
from creditmesh.offers.lenders import GradeWaits, Lender
from creditmesh.offers.model import NotProposed
from creditmesh.platform.paging import cut

blueprint = Blueprint(__name__)


@route(blueprint, "GET", "/v1/lenders")
def list_lenders(call: Call, query: Listing) -> LenderList:
    """List the lenders with their grades; a lender sees itself."""
    found = cut(lenders().visible_to(call.caller), window(call, query), lambda one: one.lender_id)
    return LenderList(lenders=found.items, next=following(call, query, found))


@route(blueprint, "POST", "/v1/lenders/{lender_id}/grade", roles=RISK_OFFICERS, status=202, raises=[GradeWaits])
def propose_grade(call: Call, lender_id: str, body: NewGrade) -> Lender:
    """Propose a lender's grade; it holds once another person confirms it."""
    return lenders().propose(lender_id, call.caller.subject, body.grade, body.since, body.note)


@route(
    blueprint,
    "POST",
    "/v1/lenders/{lender_id}/grade/decision",
    roles=RISK_OFFICERS,
    raises=[NotProposed, SamePerson],
)
def decide_grade(call: Call, lender_id: str, body: GradeDecision) -> Lender:
    """Confirm or refuse a proposed grade; the proposer cannot confirm it."""
    confirm = body.action == "confirm"
    return lenders().decide(lender_id, call.caller.subject, confirm=confirm, note=body.note)
