"""The daily drift watch over the champion: current applicants, and predicted against actual defaults."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from creditmesh.governance.drift import Distribution, Drift, compare, distribution, merged
from creditmesh.governance.learning import TRAINER, AlreadyStarted, run_name
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.objects import Objects
from creditmesh.risk.model import Artefact

if TYPE_CHECKING:
    from creditmesh.decisions.model import Decisions
    from creditmesh.governance.labels import Labels
    from creditmesh.governance.learning import Learning
    from creditmesh.governance.registry import ModelRegistry

DAYS = 30
"""Current period in days; also the length of the baseline if training left none."""


class DriftReport(BaseModel):
    """Result of one day's watch."""

    model_config = ConfigDict(frozen=True)

    model_id: str
    day: date
    champion: str
    baseline: str
    drift: Drift
    training_started: str | None = None


class DriftWatch:
    """Counts each day's decisions once, compares a month with the baseline, and starts a training run on an alarm.

    Args:
        data: the bucket of runs and counts.
        decisions: the model's decisions, by day.
        artefact: returns a version by model id and hash.
    """

    def __init__(
        self,
        data: Objects,
        decisions: Decisions,
        artefact: Callable[[str, str], Artefact],
        labels: Labels,
        registry: Callable[[], ModelRegistry],
        learning: Callable[[], Learning],
        clock: Clock,
    ) -> None:
        self._data, self._decisions, self._artefact, self._labels = data, decisions, artefact, labels
        self._registry, self._learning, self._clock = registry, learning, clock

    def run(self, model_id: str) -> DriftReport:
        """Watch the model as of yesterday; idempotent within a day."""
        day = self._clock.today() - timedelta(days=1)
        champion = self._registry().current(model_id).champion
        for back in range(DAYS):
            self._count(model_id, champion, day - timedelta(days=back))
        name, baseline = self._baseline(model_id, champion, day)
        now = merged(self._days(model_id, champion, (day - timedelta(days=back) for back in range(DAYS))))
        drift = compare(baseline, now, list(self._labels.matured(champion)))
        started = self._start(model_id, day) if drift.alarms else None
        report = DriftReport(
            model_id=model_id, day=day, champion=champion, baseline=name, drift=drift, training_started=started
        )
        self._data.put_json(_report_key(model_id, day), report.model_dump(mode="json"))
        return report

    def read(self, model_id: str, day: date | None = None) -> DriftReport:
        """The result of a day, by default the last.

        Raises:
            NotFound: no result for that day.
        """
        if day is None:
            found = self._data.newest(f"drift/{model_id}/reports/")
            if found is None:
                raise NotFound("the watch has not run yet", field="model_id")
            return DriftReport.model_validate(self._data.get_json(found[0]))
        return DriftReport.model_validate(self._data.get_json(_report_key(model_id, day)))

    def _count(self, model_id: str, champion: str, day: date) -> None:
        """Count a day's decisions of the model, unless counted before."""
        key = _count_key(model_id, champion, day)
        with contextlib.suppress(NotFound):
            self._data.get(key)
            return
        found = (one for one in self._decisions.of_day(model_id, day) if one.model_hash == champion)
        scored = ((one.score, one.inputs()) for one in found if one.score is not None)
        self._data.put_json(key, distribution(self._artefact(model_id, champion), scored).model_dump())

    def _days(self, model_id: str, champion: str, days: Iterable[date]) -> Iterator[Distribution]:
        for day in days:
            with contextlib.suppress(NotFound):
                yield Distribution.model_validate(self._data.get_json(_count_key(model_id, champion, day)))

    def _baseline(self, model_id: str, champion: str, day: date) -> tuple[str, Distribution]:
        """The distribution of the training rows; without them, of the first days that it decided."""
        key = self._registry().get(model_id, champion).evidence.get("baseline")
        if isinstance(key, str):
            with contextlib.suppress(NotFound):
                return "training", Distribution.model_validate(self._data.get_json(key))
        keys = sorted(self._data.keys(f"drift/{model_id}/counts/{champion.removeprefix('sha256:')}/"))
        parts = (Distribution.model_validate(self._data.get_json(each)) for each in keys)
        first = [part for part in parts if part.decisions][:DAYS]
        return "first_days", merged(first)

    def _start(self, model_id: str, day: date) -> str | None:
        run = run_name(model_id, "drift", day.isoformat())
        try:
            self._learning().start(model_id, run, by=TRAINER)
        except AlreadyStarted:
            return None
        return run


def _count_key(model_id: str, champion: str, day: date) -> str:
    return f"drift/{model_id}/counts/{champion.removeprefix('sha256:')}/{day.isoformat()}.json"


def _report_key(model_id: str, day: date) -> str:
    return f"drift/{model_id}/reports/{day.isoformat()}.json"
