"""What callers from outside the platform see of each answer; its staff see all of it.

A field is shown to a role only if it is listed here. Lenders see the assessment that the firm has agreed to, not the
data: the consent texts in force name no ratios, so none is listed. Guests are borrowers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from api import consent_schemas as consents
from api import ledger_schemas as ledger
from api import lender_schemas as lenders
from api import report_schemas as reports
from api import schemas
from api import stuck_schemas as stuck
from api.roles import APPLICANTS, LENDERS
from creditmesh.closing.model import Inquiry, PaymentOrder
from creditmesh.closing.webhooks import ReceivedWebhook
from creditmesh.decisions.lenders_report import FIELDS as REPORT
from creditmesh.decisions.referral import Referral
from creditmesh.intake.model import LenderRefusal, Outcome, Status, TimelineEntry
from creditmesh.kernel.caller import STAFF, Role
from creditmesh.offers import lenders as grades
from creditmesh.offers import model as products
from creditmesh.offers import speed as speeds
from creditmesh.offers.cost import LoanCost
from creditmesh.offers.offer import Nearest, Offer, RankPoints, Unmet
from creditmesh.platform.undelivered import OutboxMessage

PARTIES = APPLICANTS | LENDERS
ENDED_BY_STAFF = (Outcome.CLOSED_BY_OPERATOR, Outcome.DECLINED_REFERRAL)


@dataclass(frozen=True)
class Shown:
    """Fields that some roles see."""

    roles: frozenset[Role]
    fields: frozenset[str]
    when: Callable[[Any], bool] | None
    """Only of answers of which this is true."""


def to(roles: frozenset[Role], fields: str | Sequence[str], when: Callable[[Any], bool] | None = None) -> Shown:
    return Shown(roles, frozenset(fields.split() if isinstance(fields, str) else fields), when)


def _no_note_of_staff(view: schemas.ApplicationView) -> bool:
    return view.outcome not in ENDED_BY_STAFF


def _by_lender(entry: TimelineEntry) -> bool:
    return entry.by == Role.LENDER


def _no_word_of_staff(entry: TimelineEntry) -> bool:
    """Neither a person's note nor why the process was handed over to one."""
    return entry.by not in STAFF and entry.status is not Status.WITH_OPERATOR


VIEWS: Mapping[type[BaseModel], tuple[Shown, ...]] = {
    schemas.Health: (to(PARTIES, "status version"),),
    schemas.ApplicationView: (
        to(PARTIES, "application_id status outcome created_at updated_at firm_name amount currency term_months"),
        to(PARTIES, "purpose awaits score grade limit decision reasons model_version chosen"),
        to(PARTIES, "outcome_note outcome_note_code outcome_note_parameters", when=_no_note_of_staff),
        to(APPLICANTS, "channel authorization_problem flow_id flow_version"),
    ),
    schemas.Chosen: (
        to(PARTIES, "lender_id product_id version amount currency term_months repayment_method annual_rate_bps cost"),
        to(PARTIES, "terms_sha256"),
    ),
    LoanCost: (to(PARTIES, "instalment total_repaid fees net_paid apr_percent effective_rate_percent"),),
    schemas.GuestApplication: (to(APPLICANTS, "application access_token"),),
    schemas.ApplicationList: (to(PARTIES, "applications next"),),
    schemas.Timeline: (to(PARTIES, "timeline next"),),
    TimelineEntry: (
        to(PARTIES, "at status by"),
        to(PARTIES, "subject", when=_by_lender),
        to(APPLICANTS, "note note_code note_parameters", when=_no_word_of_staff),
        to(LENDERS, "note note_code note_parameters", when=_by_lender),
    ),
    schemas.Link: (to(APPLICANTS, "url"),),
    schemas.Matches: (to(PARTIES, "matches next"), to(APPLICANTS, "nearest")),
    Offer: (
        to(PARTIES, "lender_id product_id version name fit amount min_amount max_amount amount_step currency"),
        to(PARTIES, "term_months min_term_months max_term_months term_step_months repayment_methods annual_rate_bps"),
        to(PARTIES, "disbursement_hours measured_hours cost"),
        to(APPLICANTS, "rank_points points"),
    ),
    Nearest: (to(APPLICANTS, "lender_id product_id name missing unmet"),),
    Unmet: (to(APPLICANTS, "code parameters"),),
    schemas.Products: (to(PARTIES, "products next"),),
    RankPoints: (to(APPLICANTS, "cost amount speed"),),
    products.Product: (
        to(PARTIES, "lender_id product_id version pushed_at name currency min_amount max_amount amount_step"),
        to(PARTIES, "min_term_months max_term_months term_step_months repayment_methods day_count due_day"),
        to(PARTIES, "grace_months price fees disbursement_hours min_grade industries_excluded eligibility"),
        to(PARTIES, "valid_from valid_until"),
        to(LENDERS, "pushed_by capacity monthly_capacity joint_lending state decision expires_at"),
    ),
    products.JointLending: (to(LENDERS, "company bank loans_from total_from"),),
    speeds.Speed: (to(LENDERS, "payments measured_hours hours"),),
    products.VersionDecision: (to(LENDERS, "by at note"),),
    products.FixedPrice: (to(PARTIES, "type annual_rate_bps"),),
    products.GradedPrice: (to(PARTIES, "type annual_rates_bps"),),
    products.RiskBasedPrice: (to(PARTIES, "type floor_bps cap_bps"), to(LENDERS, "margin_bps")),
    products.Fee: (to(PARTIES, "code charged amount share_bps"),),
    products.Eligibility: (to(PARTIES, "code when text"),),
    lenders.LenderList: (to(PARTIES, "lenders next"),),
    grades.Lender: (to(PARTIES, "lender_id name grade"), to(LENDERS, "since")),
    schemas.WebhookTaken: (to(LENDERS, "duplicate"),),
    stuck.OutboxMessages: (to(LENDERS, "messages next"),),
    OutboxMessage: (
        to(LENDERS, "message_id institution_id type about state attempts created_at due_at last_error last_error_code"),
        to(LENDERS, "last_error_parameters sent_at"),
    ),
    stuck.Webhooks: (to(LENDERS, "webhooks next"),),
    ReceivedWebhook: (
        to(LENDERS, "id institution_id received_at state webhook_id type about size problem field count"),
    ),
    schemas.LenderStanding: (to(PARTIES, "lender_id state counter_offer inquiries payment"), to(APPLICANTS, "refused")),
    schemas.CounterOffer: (
        to(PARTIES, "amount currency term_months repayment_method annual_rate_bps cost terms_sha256 valid_until"),
    ),
    PaymentOrder: (to(PARTIES, "order_id state ordered_at expires_at cancel_asked_at reason_code reason"),),
    Inquiry: (to(PARTIES, "question asked_at answer answered_at"),),
    LenderRefusal: (to(APPLICANTS, "lender_id code reason"),),
    schemas.Contract: (to(PARTIES, "contract_id document document_sha256 signed_at"),),
    reports.Report: (to(PARTIES, REPORT["report"]), to(APPLICANTS, "sources")),
    reports.Requested: (to(PARTIES, REPORT["requested"]),),
    reports.ReportResult: (to(PARTIES, REPORT["result"]), to(APPLICANTS, "annual_rate_bps")),
    reports.ReportReason: (to(PARTIES, REPORT["reasons"]),),
    reports.ReasonParameters: (to(PARTIES, REPORT["parameters"]),),
    reports.ReportSource: (to(APPLICANTS, "source channel outcome fetched_at"),),
    reports.Versions: (to(PARTIES, REPORT["versions"]),),
    Referral: (to(LENDERS, REPORT["referral"]), to(APPLICANTS, "decision decided_at role")),
    consents.ConsentScopes: (to(PARTIES, "scopes next"),),
    consents.ScopeView: (
        to(PARTIES, "scope way required purposes longest_days institution_kind text_version language title text"),
        to(PARTIES, "text_sha256 fields"),
    ),
    consents.FieldView: (to(PARTIES, "name label pattern max_length required"),),
    consents.Consents: (to(APPLICANTS, "consents next"),),
    consents.ConsentStanding: (
        to(APPLICANTS, "scope way required usable problem authorization_id granted_at expires_at how text_version"),
        to(APPLICANTS, "text_sha256 last_used_at reminded_days renewal_requested_at blind grant"),
    ),
    consents.ConsentHistory: (to(APPLICANTS, "history next"),),
    consents.ConsentEntry: (
        to(APPLICANTS, "at kind scope authorization_id by note note_code note_parameters subject_id expires_at how"),
        to(APPLICANTS, "purposes text_key text_version text_sha256 language renewal_of"),
    ),
    consents.ConsentUses: (to(APPLICANTS, "uses next"),),
    consents.UseEntry: (to(APPLICANTS, "at scope authorization_id purpose by channel outcome problem correlation_id"),),
    consents.Erased: (to(APPLICANTS, "withdrawn kept"),),
    consents.KeptData: (to(APPLICANTS, "kind days after until reason"),),
    consents.BlindSpots: (to(LENDERS, "blind_spots next"),),
    consents.BlindSpot: (to(LENDERS, "subject_id scope lender_id since cause"),),
    ledger.LedgerAccounts: (to(LENDERS, "accounts next"),),
    ledger.LedgerAccount: (
        to(LENDERS, "account_id lender_id currency kind loan_id normal_side balance pending_in pending_out available"),
        to(LENDERS, "entries"),
    ),
    ledger.AccountEntries: (to(LENDERS, "account opening_balance entries next"),),
    ledger.LedgerEntry: (to(LENDERS, "number booked_on value_date posted_at transfer_id purpose side amount balance"),),
    ledger.TrialBalanceView: (to(LENDERS, "as_of rows debits credits next"),),
    ledger.TrialRow: (to(LENDERS, "account_id kind loan_id debit credit"),),
    ledger.LedgerTransfer: (
        to(LENDERS, "transfer_id purpose state currency lines created_at value_date booked_on posted_at voided_at"),
        to(LENDERS, "reverses reversed_by"),
    ),
    ledger.TransferLine: (to(LENDERS, "account_id side amount"),),
}


def readers(view: type[BaseModel], field: str | None = None, *, always: bool = False) -> frozenset[Role]:
    """Who sees a view, or a field of it.

    Args:
        view: listed in `VIEWS`.
        field: None: any field.
        always: who sees it in every answer.
    """
    parts = [one for one in VIEWS[view] if field is None or field in one.fields]
    return STAFF.union(*(one.roles for one in parts if not (always and one.when)))


def shown(answer: BaseModel, role: Role) -> dict[str, Any]:
    """An answer as JSON values, as far as the role sees it."""
    document: dict[str, Any] = answer.model_dump(mode="json")
    return document if role in STAFF else _part(answer, document, role)


def rendered(answer: BaseModel, role: Role) -> str:
    """An answer as JSON, as far as the role sees it."""
    if role in STAFF:
        return answer.model_dump_json()
    return json.dumps(shown(answer, role), ensure_ascii=False, separators=(",", ":"))


def _part(value: Any, document: Any, role: Role) -> Any:
    if isinstance(value, BaseModel):
        fields = _fields(value, role)
        return {name: _part(getattr(value, name), one, role) for name, one in document.items() if name in fields}
    if isinstance(value, Mapping):
        return {
            name: _part(one, part, role) for one, (name, part) in zip(value.values(), document.items(), strict=True)
        }
    if isinstance(value, (list, tuple)):
        return [_part(one, part, role) for one, part in zip(value, document, strict=True)]
    return document


def _fields(value: BaseModel, role: Role) -> set[str]:
    return {
        field
        for one in VIEWS.get(type(value), ())
        if role in one.roles and (one.when is None or one.when(value))
        for field in one.fields
    }
