"""A loan application and its way to an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.caller import STAFF, Caller, Role
from creditmesh.kernel.errors import Conflict, InvalidInput
from creditmesh.kernel.identifiers import taxpayer_id
from creditmesh.kernel.money import Money

MIN_AMOUNT_MINOR = 1_000_00
MAX_AMOUNT_MINOR = 100_000_000_00
MAX_TERM_MONTHS = 360
LENT_CURRENCY = "CNY"
"""Key data, limits and grades are reckoned in it; an amount in another currency would be taken for one in this."""


class ApplicationClosed(Conflict):
    """The application has its outcome already; nothing more happens to it."""

    code = "application_closed"


class AuthorizationExhausted(Conflict):
    """The borrower was asked for an authorisation as often as the platform asks."""

    code = "authorization_exhausted"


class NotAwaited(Conflict):
    """The application does not wait for this answer (now)."""

    code = "not_awaited"


class Status(StrEnum):
    """Where an application stands."""

    RECEIVED = "received"
    AUTHORIZATION_REQUIRED = "authorization_required"
    AUTHORIZED = "authorized"
    COLLECTED = "collected"
    ASSESSED = "assessed"
    OFFERED = "offered"
    CHOSEN = "chosen"
    SUBMITTED = "submitted"
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
    AUTHORIZATION_FAILED = "authorization_failed"
    AUTHORIZATION_EXPIRED = "authorization_expired"
    CHOICE_EXPIRED = "choice_expired"
    SIGNATURE_EXPIRED = "signature_expired"
    CLOSED_BY_OPERATOR = "closed_by_operator"
    WITHDRAWN = "withdrawn"


WAITS = {
    Status.AUTHORIZATION_REQUIRED: "authorization",
    Status.OFFERED: "choice",
    Status.CONTRACT_READY: "signature",
    Status.WITH_OPERATOR: "operator",
}
"""What an application waits for by its status, as a kind of `platform.waits`. Lenders' answers are in `closing`."""


class LoanRequest(BaseModel):
    """What a borrower asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    taxpayer_id: str = Field(min_length=15, max_length=40, description="Unified social credit code of the firm")
    firm_name: str = Field(min_length=2, max_length=120)
    amount: str = Field(max_length=20, description="Decimal string with two decimals", examples=["300000.00"])
    currency: str = Field(default="CNY", pattern="^[A-Z]{3}$")
    term_months: int = Field(ge=1, le=MAX_TERM_MONTHS, strict=True)
    purpose: str = Field(min_length=2, max_length=200)

    def money(self) -> Money:
        """The amount asked for.

        Raises:
            InvalidInput: malformed, or outside what the platform lends.
        """
        money = Money.parse(self.amount, self.currency)
        if money.currency != LENT_CURRENCY:
            raise InvalidInput(f"must be {LENT_CURRENCY}", field="currency")
        if not MIN_AMOUNT_MINOR <= money.minor <= MAX_AMOUNT_MINOR:
            low, high = Money(MIN_AMOUNT_MINOR, LENT_CURRENCY), Money(MAX_AMOUNT_MINOR, LENT_CURRENCY)
            raise InvalidInput(f"must lie between {low} and {high}", field="amount")
        return money

    def checked_taxpayer_id(self) -> str:
        """The firm's taxpayer id in canonical form.

        Raises:
            InvalidInput: it breaks the standard's rules.
        """
        return taxpayer_id(self.taxpayer_id)


@dataclass(frozen=True)
class Actor:
    """Who caused something: a role, and whose it is; the platform has no subject."""

    role: str
    subject: str | None = None

    @classmethod
    def of(cls, caller: Caller) -> Actor:
        """The caller of a request."""
        return cls(caller.role, caller.subject)


class TimelineEntry(BaseModel):
    """One thing that happened."""

    model_config = ConfigDict(frozen=True)

    at: str
    status: Status
    by: str = Field(description="role that caused it, or platform")
    subject: str | None = Field(default=None, description="id of who caused it; shown of lenders, of others to staff")
    note: str | None = None

    def shown_to(self, caller: Caller) -> TimelineEntry:
        """The entry as far as a caller may read it."""
        if self.by == Role.LENDER or caller.role in STAFF:
            return self
        return self.model_copy(update={"subject": None})


class RiskSummary(BaseModel):
    """The risk result in short; the report in S3 has all of it."""

    model_config = ConfigDict(frozen=True)

    decision: str
    stage: str
    score: int | None = None
    grade: str | None = None
    limit_minor: int | None = None
    reasons: list[str] = []
    engine: str
    model_id: str
    model_version: str
    model_hash: str | None = None
    decided_at: str


class ReferralDecision(BaseModel):
    """What a person decided on a firm that the model referred."""

    model_config = ConfigDict(frozen=True)

    action: str
    at: str
    role: str
    subject: str = Field(description="id of whoever decided, never a name")
    note: str


class ChosenTerms(BaseModel):
    """What the borrower chose, as it was offered."""

    model_config = ConfigDict(frozen=True)

    amount: str
    approvable_amount: str
    currency: str
    annual_rate_bps: int
    term_months: int


class ApplicationSummary(BaseModel):
    """An application as lists show it: nothing sealed, nothing long."""

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
    authorization_problem: str | None = None
    """Why the borrower was last asked for an authorisation."""
    risk: RiskSummary | None = None
    chosen_product_id: str | None = None
    chosen_lender_id: str | None = None
    execution: str

    def requested(self) -> Money:
        """The amount asked for."""
        return Money(self.amount_minor, self.currency)

    def require_open(self) -> None:
        """Raises ApplicationClosed once there is an outcome."""
        if self.status is Status.CLOSED:
            raise ApplicationClosed(f"the application has ended: {self.outcome}")

    def visible_to(self, caller: Caller) -> bool:
        """Whether the caller may see this application at all."""
        if caller.role in STAFF:
            return True
        if caller.role is Role.LENDER:
            return self.chosen_lender_id == caller.tenant and self.status not in (Status.OFFERED, Status.CHOSEN)
        return self.tenant == caller.tenant or self.channel == f"bank:{caller.tenant}"


class Application(ApplicationSummary):
    """One application with all that is stored of it; the taxpayer id is sealed at rest, found by its blind index."""

    created_by: str
    taxpayer_id: str = Field(repr=False)
    taxpayer_index: str
    timeline: list[TimelineEntry]
    stood: Status | None = None
    """The status it had before a person began to look at it."""
    collection_plan: str = "standard"
    """Which channels are asked for the firm's data."""
    authorization_requests: int = 0
    key_data_key: str | None = None
    industry: str | None = None
    """As the key data has it; lenders' products may exclude it."""
    report_key: str | None = None
    referral: ReferralDecision | None = None
    chosen_terms: ChosenTerms | None = None
    nearest: dict[str, Any] | None = None
