"""What the report tells of a person's decision on a referral."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.intake.model import Application


class Referral(BaseModel):
    """State of a referral; all null until a person has decided."""

    model_config = ConfigDict(frozen=True)

    decision: str | None = Field(default=None, description="approve, decline or close")
    decided_at: str | None = None
    role: str | None = Field(default=None, description="in which role the person decided")
    subject: str | None = Field(default=None, description="the person's id")
    note: str | None = Field(default=None, description="why")


def referral_of(application: Application) -> Referral | None:
    """The decision on this application's referral; None without a referral."""
    if application.risk is None or application.risk.decision != "refer":
        return None
    decided = application.referral
    if decided is None:
        return Referral()
    return Referral(
        decision=decided.action,
        decided_at=decided.at,
        role=decided.role,
        subject=decided.subject,
        note=decided.note,
    )


def with_referral(application: Application, report: Mapping[str, Any]) -> dict[str, Any]:
    """The application's stored report with `referral`."""
    referral = referral_of(application)
    # Reports of earlier releases have the model's decision only.
    decision = application.risk.decision if application.risk else report["result"]["decision"]
    return {"decision": decision, **report, "referral": referral.model_dump() if referral else None}
