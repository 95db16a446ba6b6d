"""Labels: recording outcomes of loans, counting and exporting them for training."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator

from creditmesh.governance.outcomes import Decided, Label, LabelValue, Observation, label_of
from creditmesh.kernel.calendars import after_months
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Conflict, InvalidInput
from creditmesh.platform.tables import ConditionFailed, Item, Put, Tables, Update

BY_MONTH = "by-month"
EXPORT_MONTHS = 60
"""Period of an export."""


class RecordedMeanwhile(Conflict):
    """An outcome of the same loan was recorded concurrently; try again."""

    code = "recorded_meanwhile"


class Labels:
    """The labels of all disbursed applications, each with its earlier observations.

    Args:
        decision_of: returns the decision on an application; raises if it was never disbursed.
    """

    def __init__(self, tables: Tables, table: str, decision_of: Callable[[str], Decided], clock: Clock) -> None:
        self._tables, self._table, self._decision_of, self._clock = tables, table, decision_of, clock

    def record(self, seen: Observation, by: str) -> Label:
        """Record an observation of a loan. Idempotent.

        Raises:
            InvalidInput: in the future, before the decision, or before an earlier observation.
            RecordedMeanwhile: a concurrent observation.
        """
        now = self._clock.now()
        if seen.observed_until > self._clock.today():
            raise InvalidInput("lies in the future", field="observed_until", fault="in_the_future")
        earlier = self.get(seen.application_id)
        decided = earlier or self._decision_of(seen.application_id)
        if seen.observed_until < (earlier.observed_until if earlier else decided.decided_on):
            raise InvalidInput(
                "lies before the decision or the last observation", field="observed_until", fault="too_early"
            )
        label = Label(
            **seen.model_dump(),
            decided_on=decided.decided_on,
            model_hash=decided.model_hash,
            pd_ppm=decided.pd_ppm,
            decided_month=decided.decided_on.isoformat()[:7],
            value=label_of(decided.decided_on, seen),
            revision=earlier.revision + 1 if earlier else 1,
            flips=_flips(earlier, label_of(decided.decided_on, seen)),
            recorded_at=iso(now),
            recorded_by=by,
        )
        if earlier and _same(earlier, label):
            return earlier
        self._write(label, earlier)
        return label

    def get(self, application_id: str) -> Label | None:
        """The current label, or None."""
        item = self._tables.get(self._table, {"application_id": application_id})
        return Label.model_validate(item) if item else None

    def counts(self, month: str) -> dict[LabelValue, int]:
        """Number of applications by label, decided in a month (YYYY-MM)."""
        found = Counter(LabelValue(item["value"]) for item in self._of_month(month))
        return {value: found.get(value, 0) for value in LabelValue}

    def export(self) -> Iterator[str]:
        """Every settled label as a line of JSON, by month."""
        for label in self._settled():
            yield json.dumps(_line(label), sort_keys=True)

    def matured(self, model_hash: str) -> Iterator[tuple[int, bool]]:
        """For each settled loan of a model: the predicted default rate in ppm, and whether it was bad."""
        for label in self._settled():
            if label.model_hash == model_hash:
                yield label.pd_ppm, label.value is LabelValue.BAD

    def _settled(self) -> Iterator[Label]:
        """Labels good or bad of the last five years, by month."""
        today = self._clock.today()
        for back in range(EXPORT_MONTHS, -1, -1):
            for item in self._of_month(after_months(today, -back).isoformat()[:7]):
                label = Label.model_validate(item)
                if label.value is not LabelValue.INDETERMINATE:
                    yield label

    def _of_month(self, month: str) -> Iterator[Item]:
        return self._tables.query(self._table, "decided_month", month, index=BY_MONTH)

    def _write(self, label: Label, earlier: Label | None) -> None:
        item = label.model_dump(mode="json")
        try:
            if earlier is None:
                self._tables.write(Put(self._table, item, "application_id"))
                return
            key = {"application_id": item.pop("application_id")}
            history = {"history": [earlier.model_dump(mode="json", exclude={"application_id"})]}
            where = {"revision": earlier.revision}
            self._tables.write(Update(self._table, key, set=item, append=history, where=where))
        except ConditionFailed:
            raise RecordedMeanwhile("another observation of this loan was recorded at the same moment") from None


def _line(label: Label) -> dict[str, str | int | bool]:
    return {
        "application_id": label.application_id,
        "bad": int(label.value is LabelValue.BAD),
        "observed": label.decided_on.isoformat(),
        "label_source": label.source,
        "label_changed": label.changed,
    }


def _flips(earlier: Label | None, value: LabelValue) -> int:
    """Number of reversals: a bad label that changes is one; a good loan that defaults later is not."""
    if earlier is None:
        return 0
    return earlier.flips + int(earlier.value is LabelValue.BAD and value is not LabelValue.BAD)


def _same(one: Label, other: Label) -> bool:
    own = {"revision", "recorded_at", "recorded_by", "flips"}
    return one.model_dump(exclude=own) == other.model_dump(exclude=own)
