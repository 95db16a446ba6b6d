"""Hit statistics of rules, counted from the log of decisions.

The log has every decision once, so retries do not count twice. A past day is counted once and its totals are stored;
today is counted each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, timedelta

from pydantic import AliasChoices, ConfigDict, Field

from creditmesh.decisions.model import Decision, Decisions
from creditmesh.governance.model import Value
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.errors import InvalidInput

MAX_DAYS = 366
SETTLED = timedelta(hours=1)
"""Decisions reach the log within seconds; a day is complete this long after midnight."""


class RuleHits(Value):
    """How often a rule was applied, fired, and decided."""

    tried: int = 0
    fired: int = 0
    decided: int = 0

    def plus(self, other: RuleHits) -> RuleHits:
        return RuleHits(
            tried=self.tried + other.tried, fired=self.fired + other.fired, decided=self.decided + other.decided
        )


class VersionDay(Value):
    """Decisions of one version on one day."""

    day: str
    model_version: str
    model_hash: str
    decisions: dict[str, int]
    """Approve, refer, decline → count."""
    rules: dict[str, RuleHits]
    """Of each rule that was applied."""


class Period(Value):
    """A period of decisions; `from` in JSON, which is a keyword in Python."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    since: str = Field(validation_alias=AliasChoices("since", "from"), serialization_alias="from")
    until: str = Field(description="exclusive")


class RuleStatistics(Period):
    """Hits by rule, in total and by day and version."""

    model_id: str
    decisions: int
    rules: dict[str, RuleHits]
    days: list[VersionDay]
    pending: list[str]
    """Days not counted for lack of time; repeat the request to count them."""


class Statistics:
    """Counts decisions by rule."""

    def __init__(self, log: Decisions, clock: Clock) -> None:
        self._log, self._clock = log, clock

    def of_rules(self, model_id: str, since: date, until: date, time_left: Callable[[], bool]) -> RuleStatistics:
        """Hits of decisions from `since` until `until`, exclusive.

        Args:
            time_left: whether there is time to count one more day.

        Raises:
            InvalidInput: an empty or too long period.
        """
        found: list[VersionDay] = []
        pending: list[str] = []
        for day in days_between(since, until):
            counted = self._kept(model_id, day) if time_left() else None
            if counted is None and time_left():
                counted = self._counted(model_id, day)
            if counted is None:
                pending.append(day.isoformat())
            else:
                found += counted
        return RuleStatistics(
            model_id=model_id,
            since=since.isoformat(),
            until=until.isoformat(),
            decisions=sum(sum(one.decisions.values()) for one in found),
            rules=_together(found),
            days=found,
            pending=pending,
        )

    def _kept(self, model_id: str, day: date) -> list[VersionDay] | None:
        totals = self._log.totals(model_id, day)
        return None if totals is None else [VersionDay.model_validate(version) for version in totals["versions"]]

    def _counted(self, model_id: str, day: date) -> list[VersionDay]:
        counted = count(day, self._log.of_day(model_id, day))
        if self._clock.now() >= self._clock.beginning(day + timedelta(days=1)) + SETTLED:
            self._log.keep_totals(model_id, day, {"versions": [one.model_dump() for one in counted]})
        return counted


def days_between(since: date, until: date) -> list[date]:
    """The days from `since` until `until`, exclusive.

    Raises:
        InvalidInput: none, or more than a year.
    """
    count = (until - since).days
    if not 0 < count <= MAX_DAYS:
        if until <= since:
            raise InvalidInput("does not lie after {other}", field="until", fault="not_after", other="from")
        raise InvalidInput(
            "lies more than {days} days after {other}", field="until", fault="too_late", other="from", days=MAX_DAYS
        )
    return [since + timedelta(days=number) for number in range(count)]


def count(day: date, decisions: Iterable[Decision]) -> list[VersionDay]:
    """Count a day's decisions by version."""
    by_hash: dict[tuple[str, str], list[Decision]] = {}
    for decision in decisions:
        by_hash.setdefault((decision.model_version, decision.model_hash), []).append(decision)
    return [_version_day(day, version, digest, found) for (version, digest), found in sorted(by_hash.items())]


def _version_day(day: date, version: str, digest: str, decisions: list[Decision]) -> VersionDay:
    tried = Counter(rule for decision in decisions for rule in decision.tried_rules)
    fired = Counter(rule for decision in decisions for rule in decision.fired_rules)
    decided = Counter(rule for decision in decisions for rule in decision.decided_rules)
    return VersionDay(
        day=day.isoformat(),
        model_version=version,
        model_hash=digest,
        decisions=dict(sorted(Counter(decision.decision for decision in decisions).items())),
        rules={rule: RuleHits(tried=tried[rule], fired=fired[rule], decided=decided[rule]) for rule in sorted(tried)},
    )


def _together(days: Iterable[VersionDay]) -> dict[str, RuleHits]:
    found: dict[str, RuleHits] = {}
    for day in days:
        for rule, hits in day.rules.items():
            found[rule] = found.get(rule, RuleHits()).plus(hits)
    return dict(sorted(found.items()))
