"""What differs by country, one document each beside this file: how long data is kept, what a loan may cost.

Periods of retention count from the end of an application that became no loan, from the end of the loan of one that did,
and of consents from their own end. What has no rule here expires within months by settings of its table or bucket.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Language = Literal["zh-CN", "en"]


class Kind(StrEnum):
    """A kind of data with a period of its own, in the order of deletion: an application names all of its others."""

    RAW_ANSWERS = "raw_answers"
    """Sources' answers as received. Later applications may rest on a cached answer: 100 days more than `KEY_DATA`."""
    KEY_DATA = "key_data"
    DECISION = "decision"
    """The report and the entry in the log of decisions."""
    OPERATOR_TASKS = "operator_tasks"
    """What people examined or decided about the application, with their notes."""
    LOAN_LABELS = "loan_labels"
    """How the loan was repaid, as models learn from it."""
    APPLICATION = "application"
    """The request with its timeline, offers, closing and contract."""
    CONSENTS = "consents"
    """Consent records and uses."""


CACHED_DAYS = 100
"""For how long another application may take an answer from the cache."""


class Rule(BaseModel):
    """Periods of one kind, and what they rest on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    without_loan_days: int = Field(ge=1, le=36_500)
    after_loan_days: int = Field(ge=1, le=36_500)
    reason: dict[Language, str]


class Cap(BaseModel):
    """The most that a loan may cost a year, fees included, from a day on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: date
    bps: int = Field(ge=1, le=10_000)
    source: str


class Country(BaseModel):
    """A country's rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: str
    yearly_cost_caps: list[Cap]
    """Oldest first; none where only case law limits the cost."""
    fees_may_be_deducted: bool
    """Whether fees may be taken from the amount paid out."""
    retention: dict[Kind, Rule]

    def cap_bps(self, on: date) -> int | None:
        """The cap on a day; None if there is none."""
        return next((cap.bps for cap in reversed(self.yearly_cost_caps) if cap.since <= on), None)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if missing := set(Kind) - set(self.retention):
            raise ValueError(f"no rule for {', '.join(sorted(missing))}")
        for days in ("without_loan_days", "after_loan_days"):
            periods = {kind: getattr(rule, days) for kind, rule in self.retention.items()}
            last = periods.pop(Kind.APPLICATION)
            del periods[Kind.CONSENTS]
            if max(periods.values()) > last:
                raise ValueError(f"{days}: an application must be kept as long as what belongs to it")
        if (
            self.retention[Kind.RAW_ANSWERS].without_loan_days
            < self.retention[Kind.KEY_DATA].without_loan_days + CACHED_DAYS
        ):
            raise ValueError(f"without_loan_days: raw answers must be kept {CACHED_DAYS} days longer than key data")
        return self


@cache
def country_of(code: str) -> Country:
    """The rules of a country.

    Raises:
        FileNotFoundError: there are none for it.
    """
    return Country.model_validate_json(files(__name__).joinpath(f"{code}.json").read_text("utf-8"))
