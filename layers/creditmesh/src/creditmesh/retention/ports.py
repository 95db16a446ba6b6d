"""What retention needs of other contexts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol

from creditmesh.intake.model import Application

Eraser = Callable[[Application], None]
"""Deletes what one context holds of an application; idempotent."""


class ClosedApplications(Protocol):
    """The store of applications."""

    def get(self, application_id: str) -> Application: ...

    def ended(self, until: datetime, since: datetime | None) -> Iterator[tuple[str, str]]:
        """Id and end of closed applications that ended before `until` and not before `since`, earliest first.

        A loan comes when it was paid out, and once more when it has ended.
        """
