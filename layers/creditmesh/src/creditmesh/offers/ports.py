"""What other contexts need of offers."""

from __future__ import annotations

from typing import Protocol

from creditmesh.platform.tables import Write


class Measuring(Protocol):
    """Counts how long payments take."""

    def measuring(
        self, lender_id: str, product_id: str, *, chosen_at: str, signed_at: str, paid_at: str
    ) -> Write: ...  # fmt: skip
