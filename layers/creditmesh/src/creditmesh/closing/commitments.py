"""What becomes of the reserved amount when an application ends."""

from __future__ import annotations

from typing import Protocol

from creditmesh.closing.payments import Payments
from creditmesh.closing.store import ClosingStore
from creditmesh.intake.model import Outcome
from creditmesh.kernel.money import Money


class Exposures(Protocol):
    """Commitments by application."""

    def settle(self, application_id: str, paid_minor: int | None) -> bool: ...


class Commitments:
    """Releases what was not paid out; what was becomes outstanding."""

    def __init__(self, store: ClosingStore, exposures: Exposures, payments: Payments) -> None:
        self._store, self._exposures, self._payments = store, exposures, payments

    def ended(self, application_id: str, outcome: str) -> bool:
        """Settle an ended application's commitment; idempotent. Returns whether there was one to settle."""
        if outcome != Outcome.DISBURSED:
            self._payments.ended(application_id)
        return self._exposures.settle(
            application_id, self._paid(application_id) if outcome == Outcome.DISBURSED else None
        )

    def _paid(self, application_id: str) -> int:
        closing = self._store.find(application_id)
        if closing is None or closing.disbursement is None:
            raise ValueError("a disbursed application has no disbursement")
        return Money.parse(closing.disbursement["amount"], closing.disbursement["currency"]).minor
