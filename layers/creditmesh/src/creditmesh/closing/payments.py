"""Orders to pay and what lenders report of them; the ledger is entered in the transaction of each step."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from creditmesh.closing import messages
from creditmesh.closing.model import (
    Closing,
    ContradictoryAnswer,
    DisbursedData,
    DisbursementCancelledData,
    DisbursementFailedData,
    OrderOutstanding,
    OrderState,
    PaymentOrder,
)
from creditmesh.closing.store import ClosingStore
from creditmesh.intake.model import ApplicationSummary, NotAwaited, Status
from creditmesh.kernel.clock import Clock, iso, parse_instant
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.kernel.money import Money
from creditmesh.ledger.model import Line
from creditmesh.ledger.ports import PAUSE_SECONDS
from creditmesh.ledger.postings import disbursement, unexpected_payment
from creditmesh.ledger.transfers import Command, Post, Record, Reserve, TransferStateConflict, Void
from creditmesh.platform.outbox import Outbox
from creditmesh.platform.tables import Write, again

if TYPE_CHECKING:
    from creditmesh.ledger.ports import Ledger

ORDER_STANDS = timedelta(days=7)
"""For how long a lender may carry out an order; longer than its two questions wait."""
PURPOSE, UNEXPECTED = "disbursement", "unexpected_payment"
PLATFORM = "platform"


class Payments:
    """Reserves with the order, posts with the report, voids with the failure."""

    def __init__(self, store: ClosingStore, ledger: Ledger, outbox: Outbox, clock: Clock) -> None:
        self._store, self._ledger, self._outbox, self._clock = store, ledger, outbox, clock

    def ordering(self, closing: Closing) -> tuple[PaymentOrder, dict[str, Any], list[Write]]:
        """The order in force, with the changes of the closing and the ledger that a new one makes."""
        now, last = self._clock.now(), closing.open_order
        if last and parse_instant(last.expires_at) > now:
            return last, {}, []
        order = PaymentOrder(
            order_id=f"{closing.application_id}.{len(closing.orders) + 1}", ordered_at=iso(now),
            expires_at=iso(now + ORDER_STANDS),
        )  # fmt: skip
        earlier = _with(closing.orders, last, state=OrderState.EXPIRED) if last else closing.orders
        commands: list[Command] = [Void(last.order_id)] if last else []
        commands.append(Reserve(order.order_id, PURPOSE, _lines(closing)))
        return order, _stored([*earlier, order]), self._ledger.writing(*commands, by=PLATFORM)

    def unexplained(self, application: ApplicationSummary, closing: Closing, data: DisbursedData) -> str | None:
        """Why nothing ordered explains a reported payment; None if an order does."""
        if closing.contract is None or closing.signature is None or not closing.orders:
            return "not_ordered"
        if closing.disbursement is not None:
            return "paid_before"
        if application.status is Status.CLOSED:
            return "application_ended"
        if data.contract_id != closing.contract["contract_id"]:
            return "other_contract"
        if (data.amount, data.currency) != (closing.terms.amount, closing.terms.currency):
            return "other_amount"
        return None

    def paid(self, closing: Closing, data: DisbursedData) -> tuple[dict[str, Any], list[Write]]:
        """The changes that a payment makes which an order explains, also one that was cancelled or had expired."""
        order = closing.order(data.order_id) or closing.orders[-1]
        value_date, open_ = self._clock.day_of(parse_instant(data.disbursed_at)), closing.open_order
        if open_ and order.order_id == open_.order_id:
            commands: list[Command] = [Post(order.order_id, value_date)]
        else:  # not expected any more; whatever was ordered since must not be paid, too
            commands = [Record(f"{order.order_id}:paid", PURPOSE, _lines(closing), value_date)]
            commands += [Void(open_.order_id)] if open_ else []
        orders = _with(closing.orders, open_, state=OrderState.CANCELLED) if open_ else closing.orders
        orders = _with(orders, order, state=OrderState.PAID)
        return _stored(orders), self._ledger.writing(*commands, by=_by(closing.lender_id))

    def failed(self, closing: Closing, data: DisbursementFailedData) -> tuple[dict[str, Any], list[Write]]:
        """The changes that a failure makes.

        Raises:
            ContradictoryAnswer: the order is not open.
        """
        if closing.contract and data.contract_id != closing.contract["contract_id"]:
            raise InvalidInput("must be the signed contract", field="data.contract_id", fault="other_contract")
        said = {"state": OrderState.FAILED, "reason_code": data.reason_code, "reason": data.reason}
        return self._voided(closing, data.order_id, said)

    def cancelled(self, closing: Closing, data: DisbursementCancelledData) -> tuple[dict[str, Any], list[Write]]:
        """The changes that a cancellation makes; raises as `failed`."""
        return self._voided(closing, data.order_id, {"state": OrderState.CANCELLED})

    def unexpected(
        self, lender_id: str, application_id: str | None, data: DisbursedData
    ) -> list[Write]:  # fmt: skip
        """The writes that enter a payment which no order explains; empty if it was entered before.

        Args:
            application_id: None if the lender has no such application.

        Raises:
            TransferIdReused: reported before otherwise.
        """
        paid = Money.parse(data.amount, data.currency)
        digest = hashlib.sha256(data.disbursement_id.encode()).hexdigest()[:24]
        lines = unexpected_payment(lender_id, application_id, paid)
        day = self._clock.day_of(parse_instant(data.disbursed_at))
        return self._ledger.writing(
            Record(f"{lender_id}:{UNEXPECTED}:{digest}", UNEXPECTED, lines, day), by=_by(lender_id)
        )

    def ask_to_cancel(self, application_id: str) -> PaymentOrder:
        """Ask the lender not to carry out the open order; its answer releases the money. Idempotent.

        Raises:
            NotAwaited: no order is open.
        """
        return again(lambda: self._ask_to_cancel(application_id))

    def _ask_to_cancel(self, application_id: str) -> PaymentOrder:
        closing = self._found(application_id)
        order = closing.open_order
        if order is None:
            raise NotAwaited("no order to pay is open")
        if order.cancel_asked_at is None:
            orders = _with(closing.orders, order, cancel_asked_at=iso(self._clock.now()))
            change = self._changed(closing, orders)
            told = self._outbox.put(messages.cancel(closing, order))
            self._store.transact([change, told], f"{order.order_id}.cancel")
            order = orders[-1]
        return order

    def require_settled(self, application_id: str) -> None:
        """Raise OrderOutstanding while the lender may still pay."""
        closing = self._store.find(application_id)
        order = closing.open_order if closing else None
        if order and parse_instant(order.expires_at) > self._clock.now():
            raise OrderOutstanding("order {order_id} stands until {until}", order_id=order.order_id,
                                   until=order.expires_at)  # fmt: skip

    def ended(self, application_id: str) -> bool:
        """Release what an ended application's open order has reserved; idempotent. Returns whether there was one."""
        return again(lambda: self._ended(application_id), pause_seconds=PAUSE_SECONDS)

    def _ended(self, application_id: str) -> bool:
        closing = self._store.find(application_id)
        order = closing.open_order if closing else None
        if closing is None or order is None:
            return False
        released = self._ledger.writing(Void(order.order_id), by=PLATFORM)
        change = self._changed(closing, _with(closing.orders, order, state=OrderState.EXPIRED))
        self._store.transact([change, *released], f"{order.order_id}.ended")
        return True

    def _voided(
        self, closing: Closing, order_id: str | None, changes: dict[str, Any]
    ) -> tuple[dict[str, Any], list[Write]]:
        order = closing.open_order
        if order is None or order_id not in (None, order.order_id):
            raise ContradictoryAnswer("the order is not open")
        try:
            released = self._ledger.writing(Void(order.order_id), by=_by(closing.lender_id))
        except TransferStateConflict:  # paid since the closing was read
            raise ContradictoryAnswer("the order is not open") from None
        return _stored(_with(closing.orders, order, **changes)), released

    def _changed(self, closing: Closing, orders: list[PaymentOrder]) -> Write:
        unchanged = {"orders": _stored(closing.orders)["orders"]}
        return self._store.change(closing.application_id, _stored(orders), where=unchanged)

    def _found(self, application_id: str) -> Closing:
        closing = self._store.find(application_id)
        if closing is None:
            raise NotFound("no such application", field="application_id")
        return closing


def _lines(closing: Closing) -> list[Line]:
    """What is paid out: the principal less the deducted fees."""
    terms = closing.terms
    principal, net = Money.parse(terms.amount, terms.currency), Money.parse(terms.cost["net_paid"], terms.currency)
    deducted = Money(principal.minor - net.minor, terms.currency)
    return disbursement(closing.lender_id, closing.application_id, principal, deducted)


def _with(orders: list[PaymentOrder], order: PaymentOrder, **changes: Any) -> list[PaymentOrder]:
    return [one.model_copy(update=changes) if one.order_id == order.order_id else one for one in orders]


def _stored(orders: list[PaymentOrder]) -> dict[str, Any]:
    return {"orders": [one.model_dump(mode="json", exclude_none=True) for one in orders]}


def _by(lender_id: str) -> str:
    return f"lender:{lender_id}"
