"""The daily deletion of what is no longer needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice

from creditmesh.intake.model import Application, Outcome
from creditmesh.kernel.clock import Clock, parse_instant
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.country import Country, Kind
from creditmesh.platform.objects import Objects
from creditmesh.retention.ports import ClosedApplications, Eraser

MOST = 2_000
"""Applications per kind and run; the next run takes the rest."""


class Retention:
    """Applies a country's rules to closed applications.

    Each kind has two marks in the bucket, for applications without a loan and for loans: how far in the order of their
    ends they were handled. A shorter period moves the cutoff and so reaches all that became due; a run that is repeated
    deletes nothing else. A loan that is met before its end is left, and met again as it takes its place by that end.

    Args:
        data: where the marks lie.
        erasers: what deletes each kind of one application; all are idempotent.
    """

    def __init__(
        self,
        applications: ClosedApplications,
        erasers: Mapping[Kind, Eraser],
        rules: Country,
        data: Objects,
        clock: Clock,
    ) -> None:
        self._applications, self._erasers, self._rules = applications, erasers, rules
        self._data, self._clock = data, clock

    def run(self, time_left: Callable[[], bool]) -> dict[Kind, int]:
        """Delete what is due; returns the number of applications by kind."""
        return {
            kind: sum(self._run(kind, erase, time_left, loans=loans) for loans in (False, True))
            for kind, erase in self._erasers.items()
        }

    def _run(self, kind: Kind, erase: Eraser, time_left: Callable[[], bool], *, loans: bool) -> int:
        rule, mark = self._rules.retention[kind], f"retention/{kind}{'-loans' if loans else ''}.json"
        days = rule.after_loan_days if loans else rule.without_loan_days
        cutoff = self._clock.beginning(self._clock.today() - timedelta(days=days))
        erased = 0
        for application_id, ended in list(self._ended(cutoff, mark)):
            if not time_left():
                break
            try:
                application = self._applications.get(application_id)
            except NotFound:  # the index is a moment late
                continue
            if _is_due(application, cutoff, loans=loans):
                erase(application)
                erased += 1
            self._data.put_json(mark, {"ended": ended})
        return erased

    def _ended(self, cutoff: datetime, mark: str) -> Iterator[tuple[str, str]]:
        try:
            since = parse_instant(self._data.get_json(mark)["ended"])
        except NotFound:
            since = None
        return islice(self._applications.ended(cutoff, since), MOST)


def _is_due(application: Application, cutoff: datetime, *, loans: bool) -> bool:
    """Whether it ended before the cutoff: without a loan, or as a loan. The index may not know yet of a loan's end."""
    is_loan = application.outcome is Outcome.DISBURSED
    open_loan = is_loan and application.loan_ended_at is None
    return is_loan is loans and not open_loan and parse_instant(application.status_at) < cutoff
