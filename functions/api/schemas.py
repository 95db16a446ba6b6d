"""What the API takes and gives, where a context's own model does not say it already (docs/reference/api.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from creditmesh.authorization.model import Problem
from creditmesh.closing.model import Closing, Counter, Ending, Inquiry, PaymentOrder
from creditmesh.intake.model import ApplicationSummary, LenderRefusal, Outcome, Status, TimelineEntry
from creditmesh.intake.notes import NoteCode
from creditmesh.intake.operators import OperatorTask
from creditmesh.kernel.clock import iso, parse_instant
from creditmesh.kernel.errors import Parameter
from creditmesh.kernel.identifiers import taxpayer_id
from creditmesh.kernel.money import format_minor
from creditmesh.kernel.text import LINE, NAME, TEXT
from creditmesh.offers.cost import LoanCost
from creditmesh.offers.model import Product
from creditmesh.offers.offer import Nearest, Offer
from creditmesh.offers.schedule import Method

Awaited = Literal["flow", "authorization", "choice", "reply", "signature", "operator"]
AWAITS: dict[Status, Awaited] = {
    Status.FLOW_REQUIRED: "flow",
    Status.AUTHORIZATION_REQUIRED: "authorization",
    Status.OFFERED: "choice",
    Status.COUNTERED: "reply",
    Status.INFORMATION_REQUIRED: "reply",
    Status.CONTRACT_READY: "signature",
    Status.WITH_OPERATOR: "operator",
}


class In(BaseModel):
    """A body or query; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Out(BaseModel):
    """An answer with every field, null if unknown."""

    model_config = ConfigDict(frozen=True)


class Nothing(In):
    """An empty object."""


class Listing(In):
    """Which page of a list to give."""

    limit: int = Field(default=20, ge=1, le=100, description="at most so many; a page with filters may have fewer")
    cursor: str | None = Field(default=None, max_length=2000, description="`next` of the page before, same filters")


class Listed(Out):
    """A page of a list."""

    next: str | None = Field(default=None, description="cursor of the next page; null on the last")


def _instant(text: str) -> str:
    return iso(parse_instant(text))


Instant = Annotated[
    str, Field(max_length=40, examples=["2027-11-21T00:00:00Z"]), AfterValidator(_instant)
]  # in the form `iso` writes, for it is compared as text


class Chosen(Out):
    """The product the borrower chose."""

    lender_id: str
    product_id: str
    version: int
    amount: str
    currency: str
    term_months: int
    repayment_method: str
    annual_rate_bps: int
    cost: LoanCost
    terms_sha256: str = Field(description="hash of the frozen terms")


class ApplicationView(Out):
    """An application as its parties see it."""

    application_id: str
    status: Status
    outcome: Outcome | None
    outcome_note: str | None = Field(description="what a person wrote, or the sentence of the code")
    outcome_note_code: NoteCode | None = Field(description="null for what a person wrote, and where it is older")
    outcome_note_parameters: dict[str, Parameter] | None
    created_at: str
    updated_at: str
    firm_name: str
    amount: str
    currency: str
    term_months: int
    purpose: str
    channel: str
    flow_id: str | None = Field(description="its loan flow; null until a manager has assigned one")
    flow_version: int | None
    awaits: Awaited | None = Field(description="what the application waits for")
    authorization_problem: Problem | None
    score: int | None
    grade: str | None
    limit: str | None
    decision: str | None
    reasons: list[str]
    engine: str | None
    model_version: str | None
    chosen: Chosen | None

    @classmethod
    def of(cls, one: ApplicationSummary) -> ApplicationView:
        """Without tokens, tenants and taxpayers' ids."""
        risk = one.risk
        asked = one.status is Status.AUTHORIZATION_REQUIRED
        return cls(
            application_id=one.application_id,
            status=one.status,
            outcome=one.outcome,
            outcome_note=one.outcome_note,
            outcome_note_code=one.outcome_note_code,
            outcome_note_parameters=one.outcome_note_parameters,
            created_at=one.created_at,
            updated_at=one.updated_at,
            firm_name=one.firm_name,
            amount=format_minor(one.amount_minor),
            currency=one.currency,
            term_months=one.term_months,
            purpose=one.purpose,
            channel=one.channel,
            flow_id=one.flow.flow_id if one.flow else None,
            flow_version=one.flow.version if one.flow else None,
            awaits=AWAITS.get(one.status),
            authorization_problem=one.authorization_problem if asked else None,
            score=risk.score if risk else None,
            grade=risk.grade if risk else None,
            limit=format_minor(risk.limit_minor) if risk and risk.limit_minor is not None else None,
            decision=risk.decision if risk else None,
            reasons=risk.reasons if risk else [],
            engine=risk.engine if risk else None,
            model_version=risk.model_version if risk else None,
            chosen=_chosen(one),
        )


def _chosen(one: ApplicationSummary) -> Chosen | None:
    terms = one.chosen_terms
    if one.chosen_lender_id is None or one.chosen_product_id is None or terms is None:
        return None
    return Chosen(
        lender_id=one.chosen_lender_id,
        product_id=one.chosen_product_id,
        version=terms.version,
        amount=terms.amount,
        currency=terms.currency,
        term_months=terms.term_months,
        repayment_method=terms.repayment_method,
        annual_rate_bps=terms.annual_rate_bps,
        cost=LoanCost.model_validate(terms.cost),
        terms_sha256=terms.sha256,
    )


class GuestApplication(Out):
    """A guest's application and the token that opens it."""

    application: ApplicationView
    access_token: str = Field(description="bearer token for this application, valid 7 days from its creation")


class ApplicationList(Listed):
    """Applications, newest first."""

    applications: list[ApplicationView]


class Timeline(Listed):
    """What happened to an application, oldest first."""

    timeline: list[TimelineEntry]


class Link(Out):
    """Where to send the borrower's browser."""

    url: str


class Matches(Listed):
    """The offers of an application, best first; or the product that fails least."""

    matches: list[Offer]
    nearest: Nearest | None


class Contract(Out):
    """The contract to read and sign."""

    contract_id: str
    document: str
    document_sha256: str
    signed_at: str | None

    @classmethod
    def of(cls, closing: Closing, document: str) -> Contract:
        """The contract of a closing that has one."""
        contract, signature = closing.contract or {}, closing.signature or {}
        return cls(
            contract_id=contract["contract_id"],
            document=document,
            document_sha256=contract["document_sha256"],
            signed_at=signature.get("signed_at"),
        )


class ProductListing(Listing):
    """Which products to list."""

    state: Literal["in_force", "proposed"] = Field(
        default="in_force", description="proposed: versions that wait for a second person of the lender"
    )


WhoseProduct = Annotated[
    str | None, Field(min_length=1, max_length=100, description="staff name it; a lender is itself")
]


class CounterOffer(Out):
    """A lender's counter-offer: the chosen terms as the lender would agree to them."""

    amount: str
    currency: str
    term_months: int
    repayment_method: str
    annual_rate_bps: int
    cost: LoanCost
    terms_sha256: str = Field(description="accepting it names this hash")
    valid_until: str | None

    @classmethod
    def of(cls, counter: Counter) -> CounterOffer:
        terms = counter.terms
        cost = LoanCost.model_validate(terms.cost)
        return cls(**terms.model_dump(include=set(cls.model_fields) - {"cost"}), cost=cost,
                   terms_sha256=terms.sha256, valid_until=counter.valid_until)  # fmt: skip


class LenderStanding(Out):
    """How the lender stands to an application."""

    lender_id: str | None = Field(description="null while none has it")
    state: Literal["waiting", "countered", "information_required", "approved", "rejected", "declined"] | None
    counter_offer: CounterOffer | None
    inquiries: list[Inquiry]
    payment: PaymentOrder | None = Field(description="the last order to pay, and why it failed")
    refused: list[LenderRefusal] = Field(description="lenders whose offers do not stand any more")

    @classmethod
    def of(cls, application: ApplicationSummary, closing: Closing | None) -> LenderStanding:
        if closing is None:
            return cls(lender_id=None, state=None, counter_offer=None, inquiries=[], payment=None, refused=[])
        counter = closing.counter
        return cls(
            lender_id=closing.lender_id,
            state=_state(closing),
            counter_offer=CounterOffer.of(counter) if counter else None,
            inquiries=closing.inquiries,
            payment=closing.order(None),
            refused=application.refused,
        )


def _state(
    closing: Closing,
) -> Literal["waiting", "countered", "information_required", "approved", "rejected", "declined"]:
    if closing.decision is not None:
        said = closing.decision["decision"]
        return "approved" if said == "countered" else said
    match closing.pending:
        case Ending.COUNTERED:
            return "countered"
        case Ending.INFORMATION:
            return "information_required"
        case _:
            return "waiting"


class VersionListing(Listing):
    """Whose product's versions to list."""

    lender_id: WhoseProduct = None


class SpeedQuery(In):
    """Whose product's speed to read."""

    lender_id: WhoseProduct = None


class Products(Listed):
    """Products of the catalogue, or versions of one."""

    products: list[Product]


class OperatorTasks(Listed):
    """Open tasks, oldest first, or resolved ones, the latest first."""

    tasks: list[OperatorTask]


class Health(Out):
    """That the API answers, and in which version."""

    status: Literal["ok"] = "ok"
    version: str


class WebhookTaken(Out):
    """A lender's message was taken."""

    duplicate: bool = Field(description="it had come before and changed nothing")


_STATUSES = TypeAdapter(frozenset[Status])


def _several(given: object) -> object:
    try:
        return _STATUSES.validate_python(given.split(",") if isinstance(given, str) else given)
    except ValidationError:
        raise ValueError(f"must be one or several of {', '.join(Status)}, separated by commas") from None


class ApplicationListing(Listing):
    """Which applications to list."""

    status: Annotated[frozenset[Status], BeforeValidator(_several)] = Field(
        default=frozenset(), description="one or several, separated by commas"
    )
    waiting_since: Instant | None = Field(default=None, description="in their status since then or longer")
    lender_id: str | None = Field(default=None, max_length=100, description="the chosen lender")
    taxpayer_id: str | None = Field(default=None, max_length=40)
    text: str | None = Field(
        default=None, min_length=1, max_length=120, description="an application's id, or how the firm's name begins"
    )


class TaskListing(Listing):
    """Which tasks to list."""

    state: Literal["open", "resolved"] = "open"
    stage: str | None = Field(default=None, max_length=60)
    application_id: str | None = Field(default=None, max_length=100)


class ReportQuery(In):
    """In which language to write the report's page."""

    language: Literal["zh-CN", "en"] | None = None


class ReturnQuery(BaseModel):
    """What the tax bureau's redirect carries: a code, or why there is none. Bureaus may add parameters of their own."""

    model_config = ConfigDict(frozen=True)

    state: str = Field(max_length=300)
    iss: str | None = Field(default=None, max_length=100, description="who sends the borrower back (RFC 9207)")
    code: str | None = Field(default=None, max_length=400)
    expires_at: str | None = Field(default=None, max_length=40)
    taxpayer_id: str | None = Field(default=None, max_length=40)
    error: str | None = Field(default=None, max_length=80)


FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
BroughtFields = Annotated[
    dict[FieldName, Annotated[str, Field(max_length=500)]],
    Field(max_length=20, repr=False, description="what the sources want besides, see GET /v1/consent-scopes"),
]


class BroughtAuthorization(In):
    """The authorisation the borrower brings back from the tax bureau."""

    authorization_code: str = Field(max_length=400, repr=False)
    expires_at: str = Field(max_length=40, examples=["2027-11-21T00:00:00Z"])
    state: str | None = Field(
        default=None, max_length=300, description="as the bureau sent it back; the code then serves this return only"
    )
    fields: BroughtFields = {}


class Choice(In):
    """One of the application's offers, and amount, term and method within it; those of the offer where not given."""

    lender_id: str = Field(min_length=1, max_length=100)
    product_id: str = Field(min_length=1, max_length=100)
    version: int | None = Field(default=None, ge=1, strict=True, description="refused if another was offered")
    amount: str | None = Field(
        default=None, max_length=20, description="needed if the offer is larger than the request"
    )
    term_months: int | None = Field(default=None, ge=1, le=360, strict=True)
    repayment_method: Method | None = None


def _true(value: object) -> object:
    if value is not True:  # 1 equals True, and would pass for it
        raise ValueError("must be true")
    return value


class CounterReply(In):
    """The borrower's reply to a counter-offer."""

    action: Literal["accept", "decline"]
    terms_sha256: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="of the counter-offer that is accepted"
    )


class Information(In):
    """The borrower's answer to the lender's question."""

    answer: Annotated[str, Field(min_length=2, max_length=2000), TEXT]


class SignatureGiven(In):
    """The borrower's consent to the contract he was shown."""

    document_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    signer_name: Annotated[str, Field(min_length=2, max_length=80), NAME]
    consent: Annotated[Literal[True], BeforeValidator(_true)]


class BlacklistEntry(In):
    """A firm that must not be lent to."""

    taxpayer_id: Annotated[str, Field(max_length=40), AfterValidator(taxpayer_id)]
    source: Annotated[str, Field(min_length=2, max_length=80), LINE]
    reason: Annotated[str, Field(min_length=2, max_length=200), TEXT]
    valid_until: Instant | None = None


class Resolution(In):
    """How an application goes on after a person has looked; `approve` and `decline` answer a referral."""

    action: Literal["retry", "close", "approve", "decline", "settle"]
    note: Annotated[str, Field(min_length=2, max_length=200), TEXT]
