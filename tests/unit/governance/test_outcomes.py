"""What an observation of a loan teaches, and when (M08)."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from creditmesh.governance.outcomes import LabelValue, Observation, label_of

DECIDED = date(2025, 1, 31)


def seen(until: date, days: int = 0, written_off: bool = False) -> Observation:
    return Observation(application_id="a-1", days_past_due=days, written_off=written_off, observed_until=until)


@pytest.mark.parametrize(
    ("observation", "label"),
    [
        (seen(date(2026, 1, 31)), LabelValue.GOOD),
        (seen(date(2026, 1, 30)), LabelValue.INDETERMINATE),
        (seen(date(2026, 1, 31), 29), LabelValue.GOOD),
        (seen(date(2026, 1, 31), 30), LabelValue.INDETERMINATE),
        (seen(date(2025, 6, 1), 89), LabelValue.INDETERMINATE),
        (seen(date(2025, 6, 1), 91), LabelValue.BAD),
        (seen(date(2025, 6, 1), 90), LabelValue.INDETERMINATE),
        (seen(date(2025, 2, 1), 0, written_off=True), LabelValue.BAD),
    ],
)
def test_bad_at_once_good_only_after_the_whole_window(observation: Observation, label: LabelValue) -> None:
    assert label_of(DECIDED, observation) is label


@pytest.mark.parametrize(
    "wrong",
    [{"days_past_due": -1}, {"days_past_due": "9"}, {"observed_until": "soon"}, {"source": "A B"}, {"paid": True}],
)
def test_an_observation_is_read_strictly(wrong: dict[str, object]) -> None:
    given = {"application_id": "a-1", "days_past_due": 0, "observed_until": "2026-01-31", **wrong}
    with pytest.raises(ValidationError):
        Observation.model_validate(given)
