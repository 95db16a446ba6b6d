"""Days as clients write them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

_FIRST = date(1900, 1, 1)
"""Earlier days are mistakes; subtracting days from the first ones overflows."""
_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _day(given: Any) -> Any:
    """Only the written form counts: a number would be read as seconds, an instant as its day somewhere."""
    if isinstance(given, date):
        return given
    if isinstance(given, str) and _WRITTEN.fullmatch(given):
        with suppress(ValueError):
            return date.fromisoformat(given)
    raise PydanticCustomError("not_a_date", "must be a date like 2026-11-30")


def _recent(day: date) -> date:
    if day < _FIRST:
        raise PydanticCustomError("too_small", "must be at least {min}", {"min": _FIRST.isoformat()})
    return day


Day = Annotated[date, BeforeValidator(_day), AfterValidator(_recent)]
