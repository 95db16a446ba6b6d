"""The daily deletion of what is no longer needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import islice

from creditmesh.intake.model import Outcome
from creditmesh.kernel.clock import Clock, parse_instant
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.country import Country, Kind
from creditmesh.platform.objects import Objects
from creditmesh.retention.ports import ClosedApplications, Eraser

MOST = 2_000
"""Applications per kind and run; the next run takes the rest."""


class Retention:
    """Applies a country's rules to closed applications.

    Each kind has a mark in the bucket: how far in the order of their ends applications were handled. A shorter period
    moves the cutoff and so reaches all that became due; a run that is repeated deletes nothing else.

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
        """Delete what is due; returns the number of applications by kind.

        Loans are not due: their end is the ledger's to tell.
        """
        return {kind: self._run(kind, erase, time_left) for kind, erase in self._erasers.items()}

    def _run(self, kind: Kind, erase: Eraser, time_left: Callable[[], bool]) -> int:
        erased = 0
        for application_id, ended in list(self._due(kind)):
            if not time_left():
                break
            try:
                application = self._applications.get(application_id)
            except NotFound:  # the index is a moment late
                continue
            if application.outcome is not Outcome.DISBURSED:
                erase(application)
                erased += 1
            self._data.put_json(_mark(kind), {"ended": ended})
        return erased

    def _due(self, kind: Kind) -> Iterator[tuple[str, str]]:
        days = self._rules.retention[kind].without_loan_days
        cutoff = self._clock.beginning(self._clock.today() - timedelta(days=days))
        try:
            since = parse_instant(self._data.get_json(_mark(kind))["ended"])
        except NotFound:
            since = None
        return islice(self._applications.ended(cutoff, since), MOST)


def _mark(kind: Kind) -> str:
    return f"retention/{kind}.json"
