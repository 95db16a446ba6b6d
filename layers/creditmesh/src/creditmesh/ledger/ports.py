"""What the ledger does for other contexts."""

from __future__ import annotations

from typing import Protocol

from creditmesh.ledger.transfers import Command
from creditmesh.platform.tables import Write

TRIES = 60
PAUSE_SECONDS = 0.05
"""For `again`: how often, and at first how long, to wait for others who change the same account."""


class Ledger(Protocol):
    """Enters transfers; see `service.Ledger`."""

    def writing(self, *commands: Command, by: str) -> list[Write]:
        """The writes that carry out commands, for the transaction of the caller's own change."""
