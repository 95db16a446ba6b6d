"""What the API takes and gives of lenders' grades."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.schemas import In, Listed
from creditmesh.kernel.dates import Day
from creditmesh.kernel.text import TEXT
from creditmesh.offers.lenders import Lender, LenderGrade


class LenderList(Listed):
    """Lenders by id."""

    lenders: list[Lender]


class NewGrade(In):
    """A grade to be proposed."""

    grade: LenderGrade
    since: Day | None = Field(default=None, description="its first day; that of the confirmation by default")
    note: Annotated[str, Field(min_length=2, max_length=500), TEXT]


class GradeDecision(In):
    """What a second person decides on a proposed grade."""

    action: Literal["confirm", "refuse"]
    note: Annotated[str, Field(max_length=500), TEXT] = ""
