"""A loan application and its way to an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from creditmesh.intake.notes import NoteCode, with_note
from creditmesh.intake.terms import ChosenTerms
from creditmesh.kernel.caller import STAFF, Caller, Role
from creditmesh.kernel.errors import Conflict, InvalidInput, Parameter
from creditmesh.kernel.identifiers import taxpayer_id
from creditmesh.kernel.money import Money
from creditmesh.kernel.text import LINE, NAME

MIN_AMOUNT_MINOR = 1_000_00
MAX_AMOUNT_MINOR = 100_000_000_00
MAX_TERM_MONTHS = 360
LENT_CURRENCY = "CNY"
"""Key data, limits and grades use this currency; an amount in another would be misread."""


class ApplicationClosed(Conflict):
    """The application has ended and cannot change any more."""

    code = "application_closed"


class AuthorizationExhausted(Conflict):
    """The borrower was asked for an authorisation as often as allowed."""

    code = "authorization_exhausted"


class FlowRequired(Conflict):
    """The request names no loan flow, and a manager has not assigned one yet."""

    code = "flow_required"


class FlowUnknown(InvalidInput):
    """No loan flow with this id is in force."""

    code = "flow_unknown"


class NotAwaited(Conflict):
    """The application does not wait for this answer (now)."""

    code = "not_awaited"


class Status(StrEnum):
    """State of an application."""

    RECEIVED = "received"
    FLOW_REQUIRED = "flow_required"
    AUTHORIZATION_REQUIRED = "authorization_required"
    AUTHORIZED = "authorized"
    COLLECTED = "collected"
    ASSESSED = "assessed"
    OFFERED = "offered"
    CHOSEN = "chosen"
    SUBMITTED = "submitted"
    COUNTERED = "countered"
    INFORMATION_REQUIRED = "information_required"
    APPROVED = "approved"
    CONTRACT_READY = "contract_ready"
    SIGNED = "signed"
    WITH_OPERATOR = "with_operator"
    CLOSED = "closed"


class Outcome(StrEnum):
    """How an application ended; each is a named end of the state machine."""

    DISBURSED = "disbursed"
    DECLINED_BLACKLIST = "declined_blacklist"
    DECLINED_ADMISSION = "declined_admission"
    DECLINED_SCORE = "declined_score"
    DECLINED_PRICE = "declined_price"
    DECLINED_RISK_INDEX = "declined_risk_index"
    DECLINED_LIMIT = "declined_limit"
    DECLINED_REFERRAL = "declined_referral"
    NO_MATCH = "no_match"
    LENDER_REJECTED = "lender_rejected"
    COUNTER_DECLINED = "counter_declined"
    REPLY_EXPIRED = "reply_expired"
    FLOW_EXPIRED = "flow_expired"
    AUTHORIZATION_FAILED = "authorization_failed"
    AUTHORIZATION_EXPIRED = "authorization_expired"
    CHOICE_EXPIRED = "choice_expired"
    SIGNATURE_EXPIRED = "signature_expired"
    CLOSED_BY_OPERATOR = "closed_by_operator"
    WITHDRAWN = "withdrawn"


class NameMatch(StrEnum):
    """How the applicant's name of the firm fits the registry's."""

    SAME = "same"
    """But for width, case, punctuation, simplified or traditional characters."""
    DIFFERENT = "different"
    VERY_DIFFERENT = "very_different"


WAITS = {
    Status.FLOW_REQUIRED: "flow",
    Status.AUTHORIZATION_REQUIRED: "authorization",
    Status.OFFERED: "choice",
    Status.COUNTERED: "reply",
    Status.INFORMATION_REQUIRED: "reply",
    Status.CONTRACT_READY: "signature",
    Status.WITH_OPERATOR: "operator",
}
"""The wait (kind in `platform.waits`) of each status; waits for lenders are in `closing`."""


Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,63}$")]


class LoanRequest(BaseModel):
    """A borrower's loan request."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    taxpayer_id: str = Field(min_length=15, max_length=40, description="Unified social credit code of the firm")
    firm_name: Annotated[str, Field(min_length=2, max_length=120), NAME]
    amount: str = Field(max_length=20, description="Decimal string with two decimals", examples=["300000.00"])
    currency: str = Field(default="CNY", pattern="^[A-Z]{3}$")
    term_months: int = Field(ge=1, le=MAX_TERM_MONTHS, strict=True)
    purpose: Annotated[str, Field(min_length=2, max_length=200), LINE]
    flow_id: Identifier | None = Field(default=None, description="the loan flow; without one, a manager is asked")

    def money(self) -> Money:
        """The requested amount.

        Raises:
            InvalidInput: malformed, or outside the platform's limits.
        """
        money = Money.parse(self.amount, self.currency)
        if money.currency != LENT_CURRENCY:
            raise InvalidInput("must be {allowed}", field="currency", fault="not_allowed", allowed=[LENT_CURRENCY])
        if not MIN_AMOUNT_MINOR <= money.minor <= MAX_AMOUNT_MINOR:
            low, high = Money(MIN_AMOUNT_MINOR, LENT_CURRENCY), Money(MAX_AMOUNT_MINOR, LENT_CURRENCY)
            raise InvalidInput(
                "must be between {min} and {max}", field="amount", fault="out_of_range", min=str(low), max=str(high)
            )
        return money

    def checked_taxpayer_id(self) -> str:
        """The firm's taxpayer id in canonical form.

        Raises:
            InvalidInput: it breaks the standard's rules.
        """
        return taxpayer_id(self.taxpayer_id)


@dataclass(frozen=True)
class Actor:
    """The role and subject that caused something; the platform has no subject."""

    role: str
    subject: str | None = None

    @classmethod
    def of(cls, caller: Caller) -> Actor:
        return cls(caller.role, caller.subject)


class TimelineEntry(BaseModel):
    """One event of an application."""

    model_config = ConfigDict(frozen=True)

    at: str
    status: Status
    by: str = Field(description="role that caused it, or platform")
    subject: str | None = Field(default=None, description="id of who caused it")
    note: str | None = Field(default=None, description="what a person wrote, or the sentence of the code")
    note_code: NoteCode | None = Field(default=None, description="null for what a person wrote, and in older entries")
    note_parameters: dict[str, Parameter] | None = None

    @model_validator(mode="before")
    @classmethod
    def _note(cls, item: Any) -> Any:
        return with_note(item)


class Ranking(BaseModel):
    """What counts how much when offers are ranked, in percent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cost: int = Field(ge=0, le=100, strict=True, description="yearly cost")
    amount: int = Field(ge=0, le=100, strict=True, description="fit of the amount")
    speed: int = Field(ge=0, le=100, strict=True, description="hours until the money is there")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.cost + self.amount + self.speed != 100:
            raise PydanticCustomError("not_100_percent", "must add up to 100")
        return self


class FlowTaken(BaseModel):
    """The loan flow of an application, in the version that it saw, with what its steps need of it."""

    model_config = ConfigDict(frozen=True)

    flow_id: str
    version: int
    collection_plan: str
    model_id: str
    ranking: Ranking
    assigned_by: str | None = None
    """The manager; None: the request named the flow."""


class RiskSummary(BaseModel):
    """Summary of the risk result; the report in S3 is complete."""

    model_config = ConfigDict(frozen=True)

    decision: str
    stage: str
    score: int | None = None
    grade: str | None = None
    limit_minor: int | None = None
    annual_rate_bps: int | None = None
    """The model's price of the risk."""
    reasons: list[str] = []
    engine: str
    model_id: str
    model_version: str
    model_hash: str | None = None
    decided_at: str


class ReferralDecision(BaseModel):
    """A person's decision on a referred firm."""

    model_config = ConfigDict(frozen=True)

    action: str
    at: str
    role: str
    subject: str = Field(description="id of the person who decided, never a name")
    note: str


class LenderRefusal(BaseModel):
    """A lender that will not lend to this application any more."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    code: str | None = Field(default=None, description="the lender's, or counter_declined")
    reason: str | None = None


class ApplicationSummary(BaseModel):
    """An application as lists show it, without sealed or long attributes."""

    model_config = ConfigDict(frozen=True)

    application_id: str
    tenant: str
    channel: str
    created_at: str
    updated_at: str
    firm_name: str
    amount_minor: int
    currency: str
    term_months: int
    purpose: str
    status: Status
    outcome: Outcome | None = None
    outcome_note: str | None = None
    outcome_note_code: str | None = None
    outcome_note_parameters: dict[str, Parameter] | None = None
    authorization_problem: str | None = None
    """Why the borrower was last asked for an authorisation."""
    risk: RiskSummary | None = None
    chosen_product_id: str | None = None
    chosen_lender_id: str | None = None
    chosen_terms: ChosenTerms | None = None
    refused: list[LenderRefusal] = []
    """Lenders whose offers do not stand any more, in order."""
    flow: FlowTaken | None = None
    """None until a manager has assigned one."""
    execution: str

    @model_validator(mode="before")
    @classmethod
    def _outcome_note(cls, item: Any) -> Any:
        return with_note(item, "outcome_")

    def requested(self) -> Money:
        return Money(self.amount_minor, self.currency)

    def require_open(self) -> None:
        """Raise ApplicationClosed once there is an outcome."""
        if self.status is Status.CLOSED:
            raise ApplicationClosed("the application has ended: {outcome}", outcome=str(self.outcome))

    def required_flow(self) -> FlowTaken:
        """The application's loan flow.

        Raises:
            FlowRequired: it has none yet.
        """
        if self.flow is None:
            raise FlowRequired("the application has no loan flow yet")
        return self.flow

    def visible_to(self, caller: Caller) -> bool:
        """Whether the caller may see this application at all."""
        if caller.role in STAFF:
            return True
        if caller.role is Role.LENDER:
            return self.chosen_lender_id == caller.tenant and self.status not in (Status.OFFERED, Status.CHOSEN)
        return self.tenant == caller.tenant or self.channel == f"bank:{caller.tenant}"


class Application(ApplicationSummary):
    """An application with all stored attributes; the taxpayer id is sealed at rest, found by its blind index."""

    created_by: str
    taxpayer_id: str = Field(repr=False)
    taxpayer_index: str
    timeline: list[TimelineEntry]
    stood: Status | None = None
    """The status before a person began to examine it."""
    status_at: str
    """Since when it has been in its status; of a loan that has ended, its end. Retention counts from here."""
    loan_ended_at: str | None = None
    """When the loan was repaid or written off."""
    authorization_requests: int = 0
    granted_meanwhile: Literal[True] | None = None
    """An authorisation was granted in another application of the firm before this one was asked for it."""
    key_data_key: str | None = None
    registered_name: str | None = None
    """The firm's name in the company registry, once read."""
    name_match: NameMatch | None = None
    """How `firm_name` fits it."""
    representative: str | None = Field(default=None, repr=False)
    """Key of the firm's legal representative by the registry, sealed; see `ApplicationStore.representative_of`."""
    industry: str | None = None
    """From the key data; lenders' products may exclude it."""
    report_key: str | None = None
    referral: ReferralDecision | None = None
    nearest: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _unaltered(self) -> Self:
        if self.chosen_terms:
            self.chosen_terms.verify(self.chosen_lender_id, self.chosen_product_id)
        return self

    @property
    def legal_name(self) -> str:
        """The name for contracts and lenders: the registry's, the applicant's where no registry was asked."""
        return self.registered_name or self.firm_name
