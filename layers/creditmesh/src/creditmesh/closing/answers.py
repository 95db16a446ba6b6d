"""What lenders answer: decision, contract, disbursement; taken once, however often it comes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from creditmesh.closing.model import (
    Closing,
    ContractReady,
    ContradictoryAnswer,
    Decision,
    Disbursed,
    DisbursementFailed,
    LenderRejected,
    LenderUnavailable,
    Question,
)
from creditmesh.closing.store import ClosingStore
from creditmesh.intake.model import Outcome, Status
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.tables import ConditionFailed, Update
from creditmesh.platform.tasks import Tasks

if TYPE_CHECKING:
    from creditmesh.intake.operators import OperatorQueue
    from creditmesh.intake.store import ApplicationStore


Message = Decision | ContractReady | Disbursed | DisbursementFailed
_NOBODY_LOOKS = tuple(one for one in Status if one not in (Status.WITH_OPERATOR, Status.CLOSED))


@dataclass(frozen=True)
class _Awaited:
    """A closing that a message came for.

    Attributes:
        alone: the message is taken only if the question has not been put again since the closing was read, and no
            person looks at the application. Then whoever comes next meets the answer, so the process can be told
            without looking at either once more; that is how nearly every message goes.
    """

    closing: Closing
    webhook_id: str
    alone: bool = False


class LenderAnswers:
    """Takes lenders' messages and lets the processes go on."""

    def __init__(
        self, store: ClosingStore, applications: ApplicationStore, operators: OperatorQueue, tasks: Tasks
    ) -> None:
        self._store, self._applications, self._operators, self._tasks = store, applications, operators, tasks

    def receive(self, institution_id: str, webhook_id: str, message: Message) -> bool:
        """Take one authentic message; False if it was a repeat.

        Raises:
            NotFound: the lender has no such application.
            ContradictoryAnswer, InvalidInput: it does not go with what was said before; nothing is changed.
        """
        closing = self._store.get(message.data.application_id)
        if closing.lender_id != institution_id:
            raise NotFound("nothing has been submitted for this application", field="data.application_id")
        if webhook_id not in closing.webhooks:
            try:
                taken = self._take(_Awaited(closing, webhook_id, alone=True), message)
            except ConditionFailed:
                closing = self._store.get(closing.application_id)
            else:
                self._tell_process(taken)
                return True
        return self._receive_beside_others(closing, webhook_id, message)

    def _receive_beside_others(self, closing: Closing, webhook_id: str, message: Message) -> bool:
        """Take a message that came before, or while the question was put again or a person began to look."""
        repeat = webhook_id in closing.webhooks
        if not repeat:
            try:
                self._take(_Awaited(closing, webhook_id), message)
            except ConditionFailed:
                closing = self._store.get(closing.application_id)
                if webhook_id not in closing.webhooks and not _already_said(closing, message):
                    raise ContradictoryAnswer("another answer was taken before, or none is awaited") from None
                repeat = True
        self.tell(closing.application_id)
        return not repeat

    def tell(self, application_id: str) -> None:
        """Let the process go on with what is stored, whichever message said so.

        Also after a repeat, for the first time may have died between write and call; and read again, for the question
        may have been put once more since, with another token. An answer that comes once a person has been asked to
        look, or just before, sends the process on its way without him.
        """
        closing = self._store.find(application_id)
        if closing is None:
            return
        self._tell_process(closing)
        if closing.answered(closing.question):
            self._operators.answered(application_id, closing.question.stage, closing.lender_id)

    def _tell_process(self, closing: Closing) -> None:
        if closing.rejected():
            self._tasks.fail(closing.token, LenderRejected.__name__)
        elif closing.answered(closing.question):
            self._tasks.succeed(closing.token, {})
        elif closing.disbursement_failed():
            self._tasks.fail(closing.token, LenderUnavailable.__name__, "the lender could not disburse")

    def _take(self, awaited: _Awaited, message: Message) -> Closing:
        """Store a message; the closing as it is then, if it was taken alone."""
        if isinstance(message, Decision):
            return self._take_decision(awaited, message)
        if isinstance(message, ContractReady):
            return self._take_contract(awaited, message)
        if isinstance(message, Disbursed):
            return self._take_disbursement(awaited, message)
        return self._take_failure(awaited, message)

    def _take_decision(self, awaited: _Awaited, message: Decision) -> Closing:
        data, closing = message.data, awaited.closing
        if data.decision == "approved":
            self._check_approval(closing, message)
            moved = self._move(awaited, Status.APPROVED, f"{data.approved_amount} {data.currency}")
        else:
            note = data.reason or data.reason_code or "no reason given"
            moved = self._move(awaited, Status.CLOSED, note, Outcome.LENDER_REJECTED)
        answer = data.model_dump(exclude_none=True, exclude={"application_id"})
        return self._stored(awaited, {"decision": answer}, "decision", moved)

    def _check_approval(self, closing: Closing, message: Decision) -> None:
        data, terms = message.data, closing.terms
        for name in ("approved_amount", "currency", "annual_rate_bps", "term_months"):
            if getattr(data, name) is None:
                raise InvalidInput("is required in an approval", field=f"data.{name}")
        if data.currency != terms.currency:
            raise InvalidInput(f"must be {terms.currency}", field="data.currency")
        if not 0 < _minor(data.approved_amount) <= _minor(terms.approvable_amount):
            raise InvalidInput("must be positive and within the limit", field="data.approved_amount")
        # What the borrower chose is what she gets: a cheaper loan is still it, a dearer or a longer one is not.
        if (data.annual_rate_bps or 0) > (rate := terms.annual_rate_bps):
            raise InvalidInput(f"must be at most {rate} as offered", field="data.annual_rate_bps")
        if data.term_months != (term := terms.term_months):
            raise InvalidInput(f"must be {term} as offered", field="data.term_months")

    def _take_contract(self, awaited: _Awaited, message: ContractReady) -> Closing:
        data, closing = message.data, awaited.closing
        if closing.decision is None or closing.rejected():
            raise ContradictoryAnswer("the loan has not been approved")
        if hashlib.sha256(data.document.encode()).hexdigest() != data.document_sha256:
            raise InvalidInput("is not the SHA-256 of the document", field="data.document_sha256")
        if closing.contract is not None:
            raise ConditionFailed("there is a contract already")
        key = self._store.keep_document(closing.application_id, data.document)
        contract = {"contract_id": data.contract_id, "document_key": key, "document_sha256": data.document_sha256}
        return self._stored(
            awaited, {"contract": contract}, "contract", self._move(awaited, Status.CONTRACT_READY, None)
        )

    def _take_disbursement(self, awaited: _Awaited, message: Disbursed) -> Closing:
        data, closing = message.data, awaited.closing
        if closing.signature is None or closing.contract is None or closing.decision is None:
            raise ContradictoryAnswer("the contract has not been signed")
        if data.contract_id != closing.contract["contract_id"]:
            raise InvalidInput("is not the contract that was signed", field="data.contract_id")
        agreed = (closing.decision["approved_amount"], closing.decision["currency"])
        if (data.amount, data.currency) != agreed:
            raise InvalidInput(f"must be {' '.join(agreed)} as approved", field="data.amount")
        answer = data.model_dump(exclude={"application_id"})
        moved = self._move(awaited, Status.CLOSED, f"{data.amount} {data.currency}", Outcome.DISBURSED)
        return self._stored(awaited, {"disbursement": answer}, "disbursement", moved)

    def _take_failure(self, awaited: _Awaited, message: DisbursementFailed) -> Closing:
        closing = awaited.closing
        order = closing.asked.get(Question.DISBURSEMENT)
        if order is None or closing.contract is None:
            raise ContradictoryAnswer("no disbursement has been ordered")
        if message.data.contract_id != closing.contract["contract_id"]:
            raise InvalidInput("is not the contract that was signed", field="data.contract_id")
        if closing.disbursement_failed() and _already_said(closing, message):
            raise ConditionFailed("the order has failed already")
        failed = {**message.data.model_dump(exclude={"application_id"}), "asked": order}
        return self._stored(awaited, {"failed": failed}, "disbursement")

    def _stored(self, awaited: _Awaited, values: dict[str, Any], absent: str, *moved: Update) -> Closing:
        closing, webhook_id = awaited.closing, awaited.webhook_id
        where = {"token": closing.token} if awaited.alone else {}
        taken = self._store.change(closing.application_id, values, absent=(absent,), webhook=webhook_id, where=where)
        self._store.transact([taken, *moved], webhook_id)
        return closing.model_copy(update={**values, "webhooks": [*closing.webhooks, webhook_id]})

    def _move(self, awaited: _Awaited, status: Status, note: str | None, outcome: Outcome | None = None) -> Update:
        return self._applications.change(
            awaited.closing.application_id,
            to=status,
            by=awaited.closing.lender_id,
            note=note,
            outcome=outcome,
            come_from=_NOBODY_LOOKS if awaited.alone else None,
            # A person who looks has a wait of his own, which is answered after this write.
            remove=("waiting",) if awaited.alone and status is Status.CLOSED else (),
        )


def _already_said(closing: Closing, message: Message) -> bool:
    """Whether a message says again, under another id, what was taken before."""
    kinds: dict[type[Any], dict[str, Any] | None] = {
        Decision: closing.decision,
        ContractReady: closing.contract,
        Disbursed: closing.disbursement,
        DisbursementFailed: closing.failed,
    }
    stored = kinds[type(message)]
    if stored is None:
        return False
    said = message.data.model_dump(exclude_none=True, exclude={"application_id", "document"})
    return all(stored.get(name) == value for name, value in said.items())


def _minor(amount: str | None) -> int:
    return int((amount or "0.00").replace(".", ""))
