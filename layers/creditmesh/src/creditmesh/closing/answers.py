"""Lenders' answers: decision, contract, disbursement; each is accepted once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from creditmesh.closing import decisions
from creditmesh.closing.decisions import NOT_AWAITED, Taken
from creditmesh.closing.model import (
    AnyMessage,
    Closing,
    ContractReady,
    ContradictoryAnswer,
    Disbursed,
    DisbursedData,
    DisbursementCancelled,
    DisbursementFailed,
    LenderDecision,
    LenderUnavailable,
    OrderState,
    Question,
)
from creditmesh.closing.payments import Payments
from creditmesh.closing.store import ClosingStore
from creditmesh.intake.exceptions import UNEXPECTED_PAYMENT
from creditmesh.intake.model import Actor, Application, ApplicationSummary, Outcome, Status
from creditmesh.intake.moves import CHOOSE, DISBURSE, DRAW_UP, MISS_PAYMENT
from creditmesh.intake.notes import Note
from creditmesh.kernel.caller import Role
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.ledger.ports import PAUSE_SECONDS
from creditmesh.platform.tables import Step, Write, again
from creditmesh.platform.waits import Answer, Wait, Waits

if TYPE_CHECKING:
    from creditmesh.authorization.ports import Monitoring
    from creditmesh.intake.ports import Applications
    from creditmesh.offers.ports import Measuring


_ANSWERS: dict[type[Any], Question] = {
    LenderDecision: Question.DECISION,
    ContractReady: Question.CONTRACT,
    Disbursed: Question.DISBURSEMENT,
    DisbursementFailed: Question.DISBURSEMENT,
    DisbursementCancelled: Question.DISBURSEMENT,
}


@dataclass(frozen=True)
class _Received:
    """A message with the records that it concerns."""

    webhook_id: str
    message: AnyMessage
    application: ApplicationSummary
    closing: Closing
    wait: Wait


class Answered:
    """Tells operators that they need not look any more.

    Args:
        close: closes the operators' task about an application, with its stage and the lender.
    """

    def __init__(self, store: ClosingStore, close: Callable[[str, str, Actor], None]) -> None:
        self._store, self._close = store, close

    def __call__(self, application_id: str, stage: str) -> None:
        """Let the process continue without the operators, if the lender has answered meanwhile."""
        question = next((one for one in Question if one.stage == stage), None)
        closing = self._store.find(application_id) if question else None
        asked = question is Question.DECISION and closing is not None and closing.pending is not None
        if question and closing and (closing.answered(question) or asked):
            self._close(application_id, stage, Actor(Role.LENDER, closing.lender_id))


class LenderAnswers:
    """Accepts lenders' messages and resumes the processes.

    Args:
        exceptions: the write that calls a person: about which application, by which key, at which stage, and why.
    """

    def __init__(
        self,
        store: ClosingStore,
        applications: Applications,
        answered: Answered,
        monitoring: Monitoring,
        speeds: Measuring,
        waits: Waits,
        taking: decisions.Decisions,
        payments: Payments,
        exceptions: Callable[[str, str, str, str], Write],
    ) -> None:
        self._store, self._applications, self._answered = store, applications, answered
        self._monitoring, self._speeds, self._waits, self._decisions = monitoring, speeds, waits, taking
        self._payments, self._exceptions = payments, exceptions

    def receive(self, institution_id: str, webhook_id: str, message: AnyMessage) -> bool:
        """Accept an authentic message; False for a repeat.

        Raises:
            NotFound: the lender has no such application.
            ContradictoryAnswer, InvalidInput: contradicts earlier messages; nothing is changed.
        """
        return again(lambda: self._receive(institution_id, webhook_id, message), pause_seconds=PAUSE_SECONDS)

    def _receive(self, institution_id: str, webhook_id: str, message: AnyMessage) -> bool:
        application_id, question = message.data.application_id, _ANSWERS[type(message)]
        # The summary saves a call to KMS; only who starts watching a firm needs its number.
        read = self._applications.get_with if isinstance(message, Disbursed) else self._applications.summary_with
        try:
            application, (stored, asked) = read(
                application_id, self._store.ref(application_id), self._waits.ref(application_id, question)
            )
        except NotFound:
            if isinstance(message, Disbursed):
                return self._unexpected(institution_id, webhook_id, message.data, "unknown_application", known=False)
            raise
        closing = self._store.read_as(stored)
        if isinstance(message, Disbursed) and (closing is None or closing.lender_id != institution_id):
            return self._unexpected(institution_id, webhook_id, message.data, "not_this_lender", known=False)
        if closing is None:
            raise NotFound("nothing has been submitted for this application", field="data.application_id")
        if closing.lender_id != institution_id:
            return not _repeated_earlier(closing, institution_id, webhook_id, message)
        received = _Received(webhook_id, message, application, closing, Wait(application_id, question, asked))
        repeat = webhook_id in closing.webhooks or _already_said(closing, message)
        if not repeat and isinstance(message, Disbursed):
            reason = self._payments.unexplained(application, closing, message.data)
            if reason is not None:
                return self._unexpected(institution_id, webhook_id, message.data, reason, known=True)
        if not repeat:
            self._take(received)
        elif received.wait.answered:
            # The first attempt may have died between write and call.
            self._waits.give(received.wait.token, received.wait.answer)
        if isinstance(application, Application):
            self._monitoring.begun(application.taxpayer_id, tenant=application.tenant)
        if repeat or application.status is Status.WITH_OPERATOR:
            self._answered(application_id, question.stage)
        return not repeat

    def _take(self, received: _Received) -> None:
        message, closing, application = received.message, received.closing, received.application
        if isinstance(message, LenderDecision):
            taken = self._decisions.take(application, closing, message)
        elif isinstance(message, ContractReady):
            taken = self._contract(closing, message)
        elif isinstance(message, Disbursed):
            taken = self._disbursement(closing, message)
        else:
            taken = self._not_paid(application, closing, message)
        if application.status is Status.CLOSED or (taken.move and application.status not in taken.move.of):
            raise ContradictoryAnswer(NOT_AWAITED)
        writes: list[Step] = [
            self._store.change(
                closing.application_id, taken.values, absent=taken.absent, webhook=received.webhook_id
            ),
            *taken.also,
        ]  # fmt: skip
        if taken.move:
            by = Actor(Role.LENDER, closing.lender_id)
            writes.append(
                self._applications.move(
                    closing.application_id, taken.move, by, note=taken.note, outcome=taken.outcome,
                    standing=application.status, **taken.application,
                )
            )  # fmt: skip
        if taken.outcome is Outcome.DISBURSED and isinstance(application, Application):
            writes += self._monitoring.beginning(
                application.taxpayer_id, application.application_id, tenant=application.tenant,
                lender_id=closing.lender_id,
            )  # fmt: skip
            writes.append(self._measuring(application, closing, taken.values["disbursement"]["disbursed_at"]))
        told = not received.wait.answered  # else the wait has failed and an operator handles it
        if told:
            writes.append(self._waits.answering(received.wait, taken.answer))
        self._store.transact(writes, received.webhook_id)
        if told:
            self._waits.give(received.wait.token, taken.answer)

    def _measuring(self, application: Application, closing: Closing, paid_at: str) -> Write:
        # The applicant's last choice: an earlier lender may have refused, or an operator put the application back.
        chosen_at = next(
            one.at for one in reversed(application.timeline) if one.status is Status.CHOSEN and one.by in CHOOSE.by
        )  # fmt: skip
        return self._speeds.measuring(
            closing.lender_id, closing.product_id, chosen_at=chosen_at,
            signed_at=(closing.signature or {})["signed_at"], paid_at=paid_at,
        )  # fmt: skip

    def _contract(self, closing: Closing, message: ContractReady) -> Taken:
        data = message.data
        if closing.decision is None or closing.rejected():
            raise ContradictoryAnswer("the loan has not been approved")
        if hashlib.sha256(data.document.encode()).hexdigest() != data.document_sha256:
            raise InvalidInput("must be the SHA-256 of the document", field="data.document_sha256", fault="wrong_hash")
        if closing.contract is not None:
            raise ContradictoryAnswer(NOT_AWAITED)
        key = self._store.keep_document(closing.application_id, data.document)
        contract = {"contract_id": data.contract_id, "document_key": key, "document_sha256": data.document_sha256}
        return Taken({"contract": contract}, ("contract",), move=DRAW_UP)

    def _disbursement(self, closing: Closing, message: Disbursed) -> Taken:
        data = message.data
        orders, entered = self._payments.paid(closing, data)
        values = {"disbursement": data.model_dump(exclude={"application_id"}, exclude_none=True), **orders}
        note = Note.of("paid_out", amount=data.amount, currency=data.currency)
        return Taken(
            values, ("disbursement",), move=DISBURSE, note=note, outcome=Outcome.DISBURSED, also=list(entered)
        )  # fmt: skip

    def _not_paid(
        self, application: ApplicationSummary, closing: Closing, message: DisbursementFailed | DisbursementCancelled
    ) -> Taken:
        if isinstance(message, DisbursementFailed):
            values, entered = self._payments.failed(closing, message.data)
            note = Note(code="payment_failed", parameters={"reason_code": message.data.reason_code},
                        words=message.data.reason)  # fmt: skip
        else:
            values, entered = self._payments.cancelled(closing, message.data)
            note = Note.of("payment_cancelled", order_id=message.data.order_id)
        failed = Answer(error=LenderUnavailable.__name__, cause="the lender could not disburse")
        # With an operator, the task tells it.
        move = MISS_PAYMENT if application.status is Status.SIGNED else None
        return Taken(values, ("disbursement",), failed, move, note, also=list(entered))

    def _unexpected(self, lender_id: str, webhook_id: str, data: DisbursedData, reason: str, known: bool) -> bool:
        """Enter a payment that no order explains, and call a person; False for a repeat."""
        entered = self._payments.unexpected(lender_id, data.application_id if known else None, data)
        if not entered:
            return False
        task = self._exceptions(data.application_id, data.disbursement_id, UNEXPECTED_PAYMENT, reason)
        self._store.transact([*entered, task], webhook_id)
        return True


def _already_said(closing: Closing, message: AnyMessage) -> bool:
    """Whether a message repeats an accepted one under another id."""
    if isinstance(message, LenderDecision):
        return decisions.already_said(closing, message)
    kinds: dict[type[Any], dict[str, Any] | None] = {
        ContractReady: closing.contract,
        Disbursed: closing.disbursement,
    }
    if isinstance(message, DisbursementFailed | DisbursementCancelled):
        return _already_missed(closing, message)
    stored = kinds[type(message)]
    if stored is None:
        return False
    said = message.data.model_dump(exclude_none=True, exclude={"application_id", "document"})
    return all(stored.get(name) == value for name, value in said.items())


def _already_missed(closing: Closing, message: DisbursementFailed | DisbursementCancelled) -> bool:
    order = closing.order(message.data.order_id)
    if order is None:
        return False
    if isinstance(message, DisbursementCancelled):
        return order.state is OrderState.CANCELLED
    said = message.data.reason_code, message.data.reason
    return order.state is OrderState.FAILED and (order.reason_code, order.reason) == said


def _repeated_earlier(closing: Closing, lender_id: str, webhook_id: str, message: AnyMessage) -> bool:
    """Whether a message repeats one of a lender whose closing came to nothing.

    Raises:
        ContradictoryAnswer: that lender says something new.
        NotFound: it never had the application.
    """
    earlier = next((one for one in closing.earlier if one.lender_id == lender_id), None)
    if earlier is None:
        raise NotFound("nothing has been submitted for this application", field="data.application_id")
    if webhook_id in earlier.webhooks or (
        isinstance(message, LenderDecision) and decisions.said(message) == earlier.decision
    ):  # fmt: skip
        return True
    raise ContradictoryAnswer("the application has been submitted to another lender since")
