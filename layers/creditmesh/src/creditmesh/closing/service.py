"""Messages to the lender: submission, request for the contract, order to disburse.

The borrower's side is in `signature`, lenders' answers are in `answers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from creditmesh.closing import messages
from creditmesh.closing.model import Closing, Earlier, Ending, LenderUnavailable, Question
from creditmesh.closing.payments import Payments
from creditmesh.closing.store import ClosingStore
from creditmesh.intake.model import Application, NotAwaited, Outcome, Status
from creditmesh.intake.moves import SUBMIT
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import NotFound
from creditmesh.ledger.ports import PAUSE_SECONDS
from creditmesh.platform.outbox import Outbox
from creditmesh.platform.tables import ConditionFailed, Item, Write, again
from creditmesh.platform.waits import Answer, Waits

if TYPE_CHECKING:
    from creditmesh.intake.ports import Applications

ORDER_TRIES = 6
"""For orders to pay, which all change their lender's cash; some eight seconds in all, as a step has thirty."""


class Closings:
    """Sends the questions to the chosen lender through the outbox; every method is idempotent.

    Args:
        report_sha256: hash of what the lender sees of an application's report.
    """

    def __init__(
        self,
        store: ClosingStore,
        applications: Applications,
        outbox: Outbox,
        waits: Waits,
        clock: Clock,
        payments: Payments,
        report_sha256: Callable[[Application], str],
    ) -> None:
        self._store, self._applications, self._outbox = store, applications, outbox
        self._waits, self._clock, self._payments, self._report_sha256 = waits, clock, payments, report_sha256

    def submit(self, application_id: str, token: str) -> None:
        """Submit report and chosen product to the lender; its decision completes the task."""
        again(lambda: self._submit(application_id, token))

    def _submit(self, application_id: str, token: str) -> None:
        application, closing = self._read(application_id)
        if closing is None or len(closing.earlier) < len(application.refused):
            application.require_open()
            self._submit_first(application, closing, token)
        elif closing.rejected():
            self._waits.give(token, Answer(error=Ending.REJECTED))
        elif closing.pending:
            self._waits.give(token, Answer(error=closing.pending))
        else:
            data = messages.submission(application, closing, self._report_sha256(application))
            self._ask(application, closing, Question.DECISION, token, data)

    def request_contract(self, application_id: str, token: str) -> None:
        """Request the contract of an approved loan; `loan.contract.ready` completes the task."""
        again(lambda: self._request_contract(application_id, token))

    def _request_contract(self, application_id: str, token: str) -> None:
        application, closing = self._read(application_id)
        if closing is None or closing.decision is None:
            raise NotAwaited("the lender has not decided")
        reference = closing.decision["lender_reference"]
        data = {"application_id": application_id, "lender_reference": reference, **messages.agreed(application)}
        self._ask(application, closing, Question.CONTRACT, token, data)

    def order_disbursement(self, application_id: str, token: str) -> None:
        """Send the signed contract with the order to pay; `loan.disbursed` completes the task."""
        again(lambda: self._order_disbursement(application_id, token), ORDER_TRIES, PAUSE_SECONDS)

    def _order_disbursement(self, application_id: str, token: str) -> None:
        application, closing = self._read(application_id)
        if closing is None or closing.contract is None or closing.signature is None:
            raise NotAwaited("the contract has not been signed")
        if closing.answered(Question.DISBURSEMENT):
            self._waits.give(token, Answer())
            return
        order, values, entered = self._payments.ordering(closing)
        data = {
            "application_id": application_id,
            "contract_id": closing.contract["contract_id"],
            "document_sha256": closing.contract["document_sha256"],
            "signer_name": closing.signature["signer_name"],
            "signed_at": closing.signature["signed_at"],
            "order_id": order.order_id,
            "pay_before": order.expires_at,
        }
        self._ask(application, closing, Question.DISBURSEMENT, token, data, values, entered)

    def tell_end(self, application_id: str, outcome: str) -> None:
        """Tell the lender of an application that has ended otherwise than by its own message; idempotent."""
        closing = self._store.find(application_id)
        if closing is None or outcome in (Outcome.DISBURSED, Outcome.LENDER_REJECTED):
            return
        with suppress(ConditionFailed):  # told before
            self._store.write(self._outbox.put(messages.closed(closing, outcome)))

    def message_parked(self, item: Item) -> None:
        """Hand the process over to a person, since a message to the lender could not be delivered."""
        closing = self._store.find(item["about"])
        # Only the latest message matters: an older one may be parked long afterwards.
        if closing and _is_open(closing, item["message_id"]):
            wait = self._waits.read(closing.application_id, closing.question)
            self._waits.fail(wait, LenderUnavailable.__name__, "the lender accepts no messages")

    def awaits(self, item: Item) -> bool:
        """Whether the answer to a message is still awaited: none has come, none was asked since, nothing has ended."""
        try:
            application, (stored,) = self._applications.summary_with(item["about"], self._store.ref(item["about"]))
        except NotFound:
            return False
        closing = self._store.read_as(stored)
        open_ = application.status is not Status.CLOSED
        return open_ and closing is not None and _is_open(closing, item["message_id"])

    def _read(self, application_id: str) -> tuple[Application, Closing | None]:
        application, (item,) = self._applications.get_with(application_id, self._store.ref(application_id))
        return application, self._store.read_as(item)

    def _submit_first(self, application: Application, earlier: Closing | None, token: str) -> None:
        terms, application_id = application.chosen_terms, application.application_id
        if application.chosen_lender_id is None or application.chosen_product_id is None or terms is None:
            raise NotAwaited("no product has been chosen")
        number = earlier.asked[Question.DECISION] + 1 if earlier else 1
        closing = Closing(
            application_id=application_id,
            lender_id=application.chosen_lender_id,
            product_id=application.chosen_product_id,
            terms=terms,
            created_at=iso(self._clock.now()),
            asked={Question.DECISION: number},
            earlier=[*earlier.earlier, _ended(earlier)] if earlier else [],
        )
        data = messages.submission(application, None, self._report_sha256(application))
        message = messages.question(closing, Question.DECISION, number, data)
        wait = self._waits.asking(application_id, Question.DECISION, token, str(number))
        moved = self._applications.move(application_id, SUBMIT)
        begun = self._store.replace(closing, earlier)
        self._store.transact([begun, self._outbox.put(message), wait, moved], message.message_id)

    def _ask(
        self,
        application: Application,
        closing: Closing,
        question: Question,
        token: str,
        data: dict[str, Any],
        values: Mapping[str, Any] = MappingProxyType({}),
        beside: Sequence[Write] = (),
    ) -> None:
        """Ask a question; asked again if it was asked before without an answer.

        Args:
            values: attributes of the closing that are set with it.
            beside: writes of the same transaction.
        """
        if closing.answered(question):
            self._waits.give(token, Answer())
            return
        application.require_open()
        number = closing.asked.get(question, 0) + 1
        message = messages.question(closing, question, number, data)
        change = {"asked": {**closing.asked, question.value: number}, **values}
        asked = self._store.change(closing.application_id, change, absent=(question.answer,))
        wait = self._waits.asking(closing.application_id, question, token, str(number))
        self._store.transact([asked, wait, self._outbox.put(message), *beside], message.message_id)


def _ended(closing: Closing) -> Earlier:
    return Earlier(
        lender_id=closing.lender_id, product_id=closing.product_id, decision=closing.decision or {},
        webhooks=closing.webhooks,
    )  # fmt: skip


def _is_open(closing: Closing, message_id: str) -> bool:
    """Whether a message is the latest of the question that is open; after the payment, of the last one."""
    question = closing.question
    return message_id == messages.message_id(closing, question, closing.asked.get(question, 0))
