"""Time as an argument: services get a clock and never read the machine's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo


class Clock(ABC):
    """The current time, and the days of the installation's zone.

    Instants (signatures, leases, time-outs) are in UTC; days (windows of months, validity, days late) are the zone's.
    """

    zone: tzinfo

    @abstractmethod
    def now(self) -> datetime:
        """The current instant, timezone-aware, in UTC."""

    def today(self) -> date:
        """The business date."""
        return self.day_of(self.now())

    def day_of(self, instant: datetime) -> date:
        """The zone's day of an instant."""
        return instant.astimezone(self.zone).date()

    def beginning(self, day: date) -> datetime:
        """The first instant of a day of the zone, in UTC."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


class SystemClock(Clock):
    """The machine's clock."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self.zone = zone

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class FixedClock(Clock):
    """A clock that only moves on request; for tests and replays."""

    at: datetime
    zone: tzinfo = UTC

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


_FIRST_YEAR = 1900
"""Earlier instants are mistakes; subtracting days from the first ones overflows."""


def iso(instant: datetime) -> str:
    """An instant as ISO 8601 in UTC with milliseconds and `Z`; sorts chronologically as text."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """Parse the output of `iso`, or any ISO 8601 instant with an offset.

    Raises:
        ValueError: not an instant, or without an offset.
    """
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None and instant.year >= _FIRST_YEAR:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):  # Python's own message repeats the text
        pass
    raise ValueError("must be an instant with its offset from UTC, like 2026-11-30T09:00:00Z")
