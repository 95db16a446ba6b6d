"""Outcomes of loans: the labels for training."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.calendars import after_months
from creditmesh.kernel.dates import Day

BAD_DAYS_PAST_DUE = 90
"""A loan more days past due than this counts as defaulted (the Basel definition)."""
GOOD_DAYS_PAST_DUE = 30
"""Fewer days past due than this count as paid on time; in between a loan is indeterminate."""
WINDOW_MONTHS = 12
"""Observation period before a loan may be called good."""


class LabelValue(StrEnum):
    """What a loan teaches."""

    GOOD = "good"
    BAD = "bad"
    INDETERMINATE = "indeterminate"


class Observation(BaseModel):
    """Observation of a loan up to a day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    application_id: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:-]+$")
    days_past_due: int = Field(ge=0, le=20_000, strict=True)
    """Maximum days past due so far."""
    written_off: bool = Field(default=False, strict=True)
    observed_until: Day
    source: str = Field(default="servicing", min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """Origin: servicing, or a named import."""


class Decided(BaseModel):
    """When an application was decided, by which model, and the predicted default rate."""

    model_config = ConfigDict(frozen=True)

    decided_on: date
    model_hash: str
    pd_ppm: int


class Label(Decided):
    """The current label of an application; ``revision`` counts observations."""

    application_id: str
    decided_month: str
    value: LabelValue
    days_past_due: int
    written_off: bool
    observed_until: date
    source: str
    revision: int
    flips: int = 0
    recorded_at: str
    recorded_by: str

    @property
    def changed(self) -> bool:
        """Whether a settled label was reversed, other than from good to bad."""
        return self.flips > 0


def label_of(decided_on: date, seen: Observation) -> LabelValue:
    """The label of an observation: bad at once, good only after the whole period."""
    if seen.written_off or seen.days_past_due > BAD_DAYS_PAST_DUE:
        return LabelValue.BAD
    if seen.days_past_due < GOOD_DAYS_PAST_DUE and seen.observed_until >= after_months(decided_on, WINDOW_MONTHS):
        return LabelValue.GOOD
    return LabelValue.INDETERMINATE
