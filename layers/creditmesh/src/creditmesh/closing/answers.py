"""Lenders' answers: decision, contract, disbursement; each is accepted once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from creditmesh.closing.model import (
    Closing,
    ContractReady,
    ContradictoryAnswer,
    Disbursed,
    DisbursementFailed,
    LenderDecision,
    LenderRejected,
    LenderUnavailable,
    Question,
)
from creditmesh.closing.store import ClosingStore
from creditmesh.intake.model import Actor, Application, ApplicationSummary, Outcome, Status
from creditmesh.intake.moves import APPROVE, DISBURSE, DRAW_UP, REJECT, Move
from creditmesh.intake.notes import Note
from creditmesh.kernel.caller import Role
from creditmesh.kernel.errors import InvalidInput, NotFound, Parameter
from creditmesh.platform.tables import Write, again
from creditmesh.platform.waits import Answer, Wait, Waits

if TYPE_CHECKING:
    from creditmesh.authorization.ports import Monitoring
    from creditmesh.intake.ports import Applications
    from creditmesh.offers.ports import Measuring


Message = LenderDecision | ContractReady | Disbursed | DisbursementFailed
_ANSWERS: dict[type[Any], Question] = {
    LenderDecision: Question.DECISION,
    ContractReady: Question.CONTRACT,
    Disbursed: Question.DISBURSEMENT,
    DisbursementFailed: Question.DISBURSEMENT,
}


@dataclass(frozen=True)
class _Received:
    """A message with the records that it concerns."""

    webhook_id: str
    message: Message
    application: ApplicationSummary
    closing: Closing
    wait: Wait


@dataclass(frozen=True)
class _Taken:
    """The changes made by a message."""

    values: dict[str, Any]
    """Attributes of the closing to set."""
    absent: tuple[str, ...]
    """Attributes that the closing must not have."""
    answer: Answer = Answer()
    """Output for the process."""
    move: Move | None = None
    """Move of the application, if any."""
    note: Note | None = None
    outcome: Outcome | None = None


class LenderAnswers:
    """Accepts lenders' messages and resumes the processes.

    Args:
        answered: closes the operators' task about an application, with its stage and the lender.
    """

    def __init__(
        self,
        store: ClosingStore,
        applications: Applications,
        answered: Callable[[str, str, str], None],
        monitoring: Monitoring,
        speeds: Measuring,
        waits: Waits,
    ) -> None:
        self._store, self._applications, self._answered = store, applications, answered
        self._monitoring, self._speeds, self._waits = monitoring, speeds, waits

    def receive(self, institution_id: str, webhook_id: str, message: Message) -> bool:
        """Accept an authentic message; False for a repeat.

        Raises:
            NotFound: the lender has no such application.
            ContradictoryAnswer, InvalidInput: contradicts earlier messages; nothing is changed.
        """
        return again(lambda: self._receive(institution_id, webhook_id, message))

    def _receive(self, institution_id: str, webhook_id: str, message: Message) -> bool:
        application_id, question = message.data.application_id, _ANSWERS[type(message)]
        # The summary saves a call to KMS; only who starts watching a firm needs its number.
        read = self._applications.get_with if isinstance(message, Disbursed) else self._applications.summary_with
        application, (stored, asked) = read(
            application_id, self._store.ref(application_id), self._waits.ref(application_id, question)
        )
        closing = self._store.read_as(stored)
        if closing is None or closing.lender_id != institution_id:
            raise NotFound("nothing has been submitted for this application", field="data.application_id")
        received = _Received(webhook_id, message, application, closing, Wait(application_id, question, asked))
        repeat = webhook_id in closing.webhooks or _already_said(closing, message)
        if not repeat:
            self._take(received)
        elif received.wait.answered:
            # The first attempt may have died between write and call.
            self._waits.give(received.wait.token, received.wait.answer)
        if isinstance(application, Application):
            self._monitoring.begun(application.taxpayer_id, tenant=application.tenant)
        if repeat or application.status is Status.WITH_OPERATOR:
            self.tell_operators(application_id, question.stage)
        return not repeat

    def tell_operators(self, application_id: str, stage: str) -> None:
        """Let the process continue without the operators, if the lender has answered meanwhile."""
        question = next((one for one in Question if one.stage == stage), None)
        closing = self._store.find(application_id) if question else None
        if question and closing and closing.answered(question):
            self._answered(application_id, stage, closing.lender_id)

    def _take(self, received: _Received) -> None:
        message, closing, application = received.message, received.closing, received.application
        if isinstance(message, LenderDecision):
            taken = self._decision(closing, message)
        elif isinstance(message, ContractReady):
            taken = self._contract(closing, message)
        elif isinstance(message, Disbursed):
            taken = self._disbursement(closing, message)
        else:
            taken = self._failure(closing, message)
        if application.status is Status.CLOSED or (taken.move and application.status not in taken.move.of):
            raise ContradictoryAnswer("another answer was accepted before, or none is awaited")
        writes: list[Write] = [
            self._store.change(
                closing.application_id, taken.values, absent=taken.absent, webhook=received.webhook_id
            )
        ]  # fmt: skip
        if taken.move:
            by = Actor(Role.LENDER, closing.lender_id)
            writes.append(
                self._applications.move(
                    closing.application_id, taken.move, by, note=taken.note, outcome=taken.outcome,
                    standing=application.status,
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
        chosen_at = next(one.at for one in application.timeline if one.status is Status.CHOSEN)
        return self._speeds.measuring(
            closing.lender_id, closing.product_id, chosen_at=chosen_at,
            signed_at=(closing.signature or {})["signed_at"], paid_at=paid_at,
        )  # fmt: skip

    def _decision(self, closing: Closing, message: LenderDecision) -> _Taken:
        data = message.data
        if closing.decision is not None:
            raise ContradictoryAnswer("another answer was accepted before, or none is awaited")
        values = {"decision": data.model_dump(exclude_none=True, exclude={"application_id"})}
        if data.decision == "approved":
            self._check_approval(closing, message)
            return _Taken(
                values, ("decision",), move=APPROVE, note=_money("approved_for", data.approved_amount, data.currency)
            )
        named: dict[str, Parameter] = {"reason_code": data.reason_code} if data.reason_code else {}
        code = "rejected_by_lender" if data.reason or data.reason_code else "rejected_without_reason"
        note = Note(code=code, parameters=named, words=data.reason)
        rejected = Answer(error=LenderRejected.__name__)
        return _Taken(values, ("decision",), rejected, REJECT, note, Outcome.LENDER_REJECTED)

    def _check_approval(self, closing: Closing, message: LenderDecision) -> None:
        data, terms = message.data, closing.terms
        for name in ("approved_amount", "currency", "annual_rate_bps", "term_months"):
            if getattr(data, name) is None:
                raise InvalidInput("is required in an approval", field=f"data.{name}", fault="required")
        if data.currency != terms.currency:
            raise InvalidInput("must be {agreed}", field="data.currency", fault="not_as_agreed", agreed=terms.currency)
        if not 0 < _minor(data.approved_amount) <= _minor(terms.amount):
            raise InvalidInput(
                "must be positive and at most {max}",
                field="data.approved_amount",
                fault="out_of_range",
                max=terms.amount,
            )
        # The borrower gets at least what was chosen: a cheaper loan is acceptable, a more expensive or longer one is
        # not.
        if (data.annual_rate_bps or 0) > (rate := terms.annual_rate_bps):
            raise InvalidInput(
                "must be at most {max} as offered", field="data.annual_rate_bps", fault="too_large", max=rate
            )
        if data.term_months != (term := terms.term_months):
            raise InvalidInput(
                "must be {agreed} as offered", field="data.term_months", fault="not_as_agreed", agreed=term
            )

    def _contract(self, closing: Closing, message: ContractReady) -> _Taken:
        data = message.data
        if closing.decision is None or closing.rejected():
            raise ContradictoryAnswer("the loan has not been approved")
        if hashlib.sha256(data.document.encode()).hexdigest() != data.document_sha256:
            raise InvalidInput("must be the SHA-256 of the document", field="data.document_sha256", fault="wrong_hash")
        if closing.contract is not None:
            raise ContradictoryAnswer("another answer was accepted before, or none is awaited")
        key = self._store.keep_document(closing.application_id, data.document)
        contract = {"contract_id": data.contract_id, "document_key": key, "document_sha256": data.document_sha256}
        return _Taken({"contract": contract}, ("contract",), move=DRAW_UP)

    def _disbursement(self, closing: Closing, message: Disbursed) -> _Taken:
        data = message.data
        if closing.signature is None or closing.contract is None or closing.decision is None:
            raise ContradictoryAnswer("the contract has not been signed")
        if data.contract_id != closing.contract["contract_id"]:
            raise InvalidInput("must be the signed contract", field="data.contract_id", fault="other_contract")
        agreed = (closing.decision["approved_amount"], closing.decision["currency"])
        if (data.amount, data.currency) != agreed:
            raise InvalidInput(
                "must be {agreed} as approved", field="data.amount", fault="not_as_agreed", agreed=" ".join(agreed)
            )
        values = {"disbursement": data.model_dump(exclude={"application_id"})}
        note = _money("paid_out", data.amount, data.currency)
        return _Taken(values, ("disbursement",), move=DISBURSE, note=note, outcome=Outcome.DISBURSED)

    def _failure(self, closing: Closing, message: DisbursementFailed) -> _Taken:
        order = closing.asked.get(Question.DISBURSEMENT)
        if order is None or closing.contract is None:
            raise ContradictoryAnswer("no disbursement has been ordered")
        if message.data.contract_id != closing.contract["contract_id"]:
            raise InvalidInput("must be the signed contract", field="data.contract_id", fault="other_contract")
        values = {"failed": {**message.data.model_dump(exclude={"application_id"}), "order": order}}
        failed = Answer(error=LenderUnavailable.__name__, cause="the lender could not disburse")
        return _Taken(values, ("disbursement",), failed)


def _money(code: str, amount: str | None, currency: str | None) -> Note:
    return Note.of(code, amount=amount or "", currency=currency or "")


def _already_said(closing: Closing, message: Message) -> bool:
    """Whether a message repeats an accepted one under another id."""
    kinds: dict[type[Any], dict[str, Any] | None] = {
        LenderDecision: closing.decision,
        ContractReady: closing.contract,
        Disbursed: closing.disbursement,
        DisbursementFailed: closing.failed,
    }
    stored = kinds[type(message)]
    if stored is None or (isinstance(message, DisbursementFailed) and not closing.disbursement_failed()):
        return False
    said = message.data.model_dump(exclude_none=True, exclude={"application_id", "document"})
    return all(stored.get(name) == value for name, value in said.items())


def _minor(amount: str | None) -> int:
    return int((amount or "0.00").replace(".", ""))
