"""How many applications are in each status, counted every few minutes from the index by status."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.intake.model import Status
from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.tables import ConditionFailed, Tables, Update

SETTLED = timedelta(minutes=1)
"""By then an index holds what was written."""
_KEY = {"counted": "status"}


class StatusCounts(BaseModel):
    """Numbers of applications by status."""

    model_config = ConfigDict(frozen=True)

    as_of: str | None = Field(default=None, description="null before the first count")
    statuses: dict[Status, int] = Field(default={}, description="`closed`: all that have ended, erased ones too")


class ApplicationCounts:
    """Counts open applications whole, and adds to the closed ones, which never change again, those closed since."""

    def __init__(self, tables: Tables, table: str, applications: str, clock: Clock) -> None:
        self._tables, self._table, self._applications, self._clock = tables, table, applications, clock

    def read(self) -> StatusCounts:
        """The last count."""
        return StatusCounts.model_validate(self._tables.get(self._table, _KEY) or {})

    def refresh(self) -> StatusCounts:
        """Count; a run that is overtaken by another changes nothing."""
        before = self.read()
        until = iso(self._clock.now() - SETTLED)
        statuses: dict[Status, int] = {one: self._number(one) for one in Status if one is not Status.CLOSED}
        # Sorts just after the last count's end.
        since = f"{before.as_of} " if before.as_of else "0"
        closed = before.statuses.get(Status.CLOSED, 0)
        if since < until:
            closed += self._number(Status.CLOSED, ("status_at", since, until))
        else:
            until = before.as_of or until
        counted = StatusCounts(as_of=until, statuses={**statuses, Status.CLOSED: closed})
        same = {"where": {"as_of": before.as_of}} if before.as_of else {"absent": ("as_of",)}
        with suppress(ConditionFailed):
            self._tables.write(Update(self._table, _KEY, counted.model_dump(mode="json"), creates=True, **same))
        return counted

    def _number(self, status: Status, between: tuple[str, str, str] | None = None) -> int:
        return self._tables.count(self._applications, "status", status.value, index="by-status", between=between)
