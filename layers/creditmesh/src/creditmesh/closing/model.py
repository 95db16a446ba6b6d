"""From submission to disbursement: questions to a lender and its answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from creditmesh.intake.terms import ChosenTerms
from creditmesh.kernel.clock import parse_instant
from creditmesh.kernel.errors import Conflict, Unavailable
from creditmesh.kernel.text import LINE, TEXT


class LenderUnavailable(Unavailable):
    """The lender accepts no messages, or cannot disburse; a person must look into it."""

    code = "lender_unavailable"


class CounterExpired(Conflict):
    """The lender's counter-offer does not stand any more."""

    code = "counter_expired"


class ContradictoryAnswer(Conflict):
    """A lender's message contradicts what was agreed or said before."""

    code = "contradictory_answer"


class OrderOutstanding(Conflict):
    """An order to pay is open, so that the lender may still pay; cancel it, or wait until it expires."""

    code = "order_outstanding"


class Ending(StrEnum):
    """Errors with which the task that waits for a lender's decision fails, by name in the process."""

    REJECTED = "LenderRejected"
    OFFER_REJECTED = "OfferRejected"
    """Other lenders' offers stand."""
    COUNTERED = "CounterOffered"
    INFORMATION = "InformationRequired"


class Question(StrEnum):
    """What the platform waits for from a lender, in this order; also the kind of wait."""

    DECISION = "decision"
    CONTRACT = "contract"
    DISBURSEMENT = "disbursement"

    @property
    def answer(self) -> str:
        """Attribute of `Closing` with the answer."""
        return str(self.value)

    @property
    def stage(self) -> str:
        """State of the process that asks it."""
        return {"decision": "SubmitToLender", "contract": "RequestContract"}.get(self.value, "OrderDisbursement")


@dataclass(frozen=True)
class Exchange:
    """Message type and path at the lender for a question (docs/reference/institutions.md)."""

    type: str
    path: str


EXCHANGES = {
    Question.DECISION: Exchange("loan.application.submitted", "/v1/applications"),
    Question.CONTRACT: Exchange("loan.contract.requested", "/v1/contracts"),
    Question.DISBURSEMENT: Exchange("loan.contract.signed", "/v1/signatures"),
}

CLOSED = Exchange("loan.application.closed", "/v1/ended-applications")
"""Tells a lender that nothing will come of an application that it has got."""
CANCEL = Exchange("loan.disbursement.cancel", "/v1/cancellations")
"""Asks a lender not to carry out an order to pay."""
TEST = Exchange("platform.test", "/v1/tests")
"""Tells a lender nothing; it asked for it itself to see whether messages reach its system."""
MOST_INQUIRIES = 5
"""Questions that a lender may ask about one application."""

_MONEY = frozenset(
    {
        EXCHANGES[Question.DISBURSEMENT].type, CANCEL.type, "loan.disbursed", "loan.disbursement.failed",
        "loan.disbursement.cancelled",
    }
)  # fmt: skip


def moves_money(message_type: str) -> bool:
    """Whether a message orders, reports or denies a payment."""
    return message_type in _MONEY


_Id = Annotated[str, Field(min_length=1, max_length=80), LINE]
_Amount = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,12})\.[0-9]{2}$")]
_Text = Annotated[str, Field(max_length=500), TEXT]
_Code = Annotated[str, Field(max_length=60), LINE]
_Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]


def _instant(text: str) -> str:
    parse_instant(text)
    return text


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)

    application_id: _Id


class DecisionData(_Data):
    """A lender's decision: as chosen, otherwise, not at all, or not before it knows more."""

    decision: Literal["approved", "countered", "rejected", "information_required"]
    lender_reference: _Id
    approved_amount: _Amount | None = None
    currency: _Currency | None = None
    annual_rate_bps: int | None = Field(default=None, ge=0, le=3600)
    term_months: int | None = Field(default=None, ge=1, le=360)
    valid_until: Annotated[str, Field(max_length=40), AfterValidator(_instant)] | None = None
    """Of a counter-offer."""
    question: Annotated[str, Field(min_length=2, max_length=500), TEXT] | None = None
    reason_code: _Code | None = None
    reason: _Text | None = None


class ContractData(_Data):
    """A contract ready to be read and signed."""

    contract_id: _Id
    document: str = Field(max_length=100_000)
    document_sha256: str = Field(pattern="^[0-9a-f]{64}$")


class DisbursedData(_Data):
    """Money has been paid out."""

    contract_id: _Id
    order_id: _Id | None = None
    """The order that was carried out; the last one by default."""
    disbursement_id: _Id
    amount: _Amount
    currency: _Currency
    disbursed_at: Annotated[str, Field(max_length=40), AfterValidator(_instant)]
    bank_reference: _Id


class DisbursementFailedData(_Data):
    """Money could not be paid out."""

    contract_id: _Id
    order_id: _Id | None = None
    """The order that failed; the last one by default."""
    reason_code: _Code
    reason: _Text


class DisbursementCancelledData(_Data):
    """An order that will not be carried out."""

    order_id: _Id


class LenderDecision(BaseModel):
    """Message `loan.decision`."""

    type: Literal["loan.decision"]
    data: DecisionData


class ContractReady(BaseModel):
    """Message `loan.contract.ready`."""

    type: Literal["loan.contract.ready"]
    data: ContractData


class Disbursed(BaseModel):
    """Message `loan.disbursed`."""

    type: Literal["loan.disbursed"]
    data: DisbursedData


class DisbursementFailed(BaseModel):
    """Message `loan.disbursement.failed`."""

    type: Literal["loan.disbursement.failed"]
    data: DisbursementFailedData


class DisbursementCancelled(BaseModel):
    """Message `loan.disbursement.cancelled`."""

    type: Literal["loan.disbursement.cancelled"]
    data: DisbursementCancelledData


AnyMessage = LenderDecision | ContractReady | Disbursed | DisbursementFailed | DisbursementCancelled
LenderMessage = Annotated[AnyMessage, Field(discriminator="type")]
LENDER_MESSAGE: TypeAdapter[AnyMessage] = TypeAdapter(LenderMessage)


class OrderState(StrEnum):
    """State of an order to pay."""

    ORDERED = "ordered"
    PAID = "paid"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class PaymentOrder(BaseModel):
    """An order to the lender to pay the loan out; its id is also the ledger's transfer."""

    model_config = ConfigDict(frozen=True)

    order_id: str
    state: OrderState = OrderState.ORDERED
    ordered_at: str
    expires_at: str
    """The lender must not pay after this instant."""
    cancel_asked_at: str | None = None
    reason_code: str | None = None
    """Why it failed, in the lender's words as `reason`."""
    reason: str | None = None


class Inquiry(BaseModel):
    """A lender's question to the borrower."""

    model_config = ConfigDict(frozen=True)

    question: str
    asked_at: str
    answer: str | None = None
    answered_at: str | None = None


class Counter(BaseModel):
    """A lender's counter-offer."""

    model_config = ConfigDict(frozen=True)

    terms: ChosenTerms
    said: dict[str, Any]
    """The lender's message."""
    valid_until: str | None = None


class Earlier(BaseModel):
    """A closing with another lender that came to nothing."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    product_id: str
    decision: dict[str, Any]
    webhooks: list[str]


class Closing(BaseModel):
    """One application's closing with one lender; an earlier lender's is in `earlier`."""

    model_config = ConfigDict(frozen=True)

    application_id: str
    lender_id: str
    product_id: str
    terms: ChosenTerms
    created_at: str
    asked: dict[str, int] = {}
    """How often each question was asked: the number of its last message, and of the wait for the answer."""
    webhooks: list[str] = []
    """Ids of the lender's accepted messages; repeats have no effect."""
    earlier: list[Earlier] = []
    counter: Counter | None = None
    inquiries: list[Inquiry] = []
    decision: dict[str, Any] | None = None
    """What the lender decided in the end; `declined` if the borrower declined its counter-offer."""
    contract: dict[str, Any] | None = None
    signature: dict[str, Any] | None = None
    disbursement: dict[str, Any] | None = None
    orders: list[PaymentOrder] = []
    """The last one counts; another is given only once that has failed, was cancelled or has expired."""

    @model_validator(mode="after")
    def _unaltered(self) -> Self:
        self.terms.verify(self.lender_id, self.product_id)
        return self

    def answered(self, question: Question) -> bool:
        return getattr(self, question.answer) is not None

    @property
    def open_order(self) -> PaymentOrder | None:
        """The order that the lender may still carry out, as far as is known."""
        last = self.orders[-1] if self.orders else None
        return last if last and last.state is OrderState.ORDERED else None

    def order(self, order_id: str | None) -> PaymentOrder | None:
        """An order by its id, the last one by default."""
        named = [one for one in self.orders if order_id in (None, one.order_id)]
        return named[-1] if named else None

    @property
    def question(self) -> Question:
        """The next question to be answered."""
        return next((one for one in Question if not self.answered(one)), Question.DISBURSEMENT)

    def rejected(self) -> bool:
        """Whether lender or borrower declined."""
        return self.decision is not None and self.decision["decision"] in ("rejected", "declined")

    @property
    def pending(self) -> Ending | None:
        """What the lender awaits from the borrower before it goes on."""
        if self.decision is not None:
            return None
        if self.counter is not None:
            return Ending.COUNTERED
        return Ending.INFORMATION if self.inquiries and self.inquiries[-1].answer is None else None

    @property
    def reply(self) -> str:
        """Number of the reply that is awaited from the borrower, among all closings of the application."""
        return f"{len(self.earlier) + 1}.{len(self.inquiries)}{'c' if self.counter else ''}"
