"""What the API takes and gives about rules."""

from __future__ import annotations

from datetime import date, timedelta

from pydantic import Field

from api.schemas import In, Listed
from creditmesh.governance.simulation import MAX_DECISIONS, SimulationSummary
from creditmesh.kernel.dates import Day

USUAL_DAYS = 30


class WhichVersion(In):
    """The model version to read."""

    version: str | None = Field(default=None, max_length=71, description="hash of a version; the champion's by default")


class Days(In):
    """Days by which decisions are counted; `until` is exclusive. The last thirty, today's among them, by default."""

    since: Day | None = Field(default=None, alias="from")
    until: Day | None = None

    def between(self, today: date) -> tuple[date, date]:
        """First day, and the one after the last."""
        until = self.until or today + timedelta(days=1)
        return self.since or until - timedelta(days=USUAL_DAYS), until


class RuleView(Days, WhichVersion):
    """Which version's rules, with the hits of which days."""


class NewSimulation(In):
    """Which past decisions a version is tried on."""

    since: Day = Field(alias="from", description="first day, by the day on which was decided")
    until: Day = Field(description="exclusive")
    limit: int = Field(default=5_000, ge=1, le=MAX_DECISIONS, description="the newest so many")
    on: Day | None = Field(
        default=None, description="the decision date to assume, such as that of the release; each one's own by default"
    )


class SimulationList(Listed):
    """The simulations of a version, oldest first."""

    simulations: list[SimulationSummary]
