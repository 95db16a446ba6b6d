"""What readers of a report see of a person's decision on a referral."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.intake.model import Application
from creditmesh.kernel.caller import STAFF, Caller, Role


class Referral(BaseModel):
    """State of a referral; all null until a person has decided."""

    model_config = ConfigDict(frozen=True)

    decision: str | None = Field(default=None, description="approve, decline or close")
    decided_at: str | None = None
    role: str | None = Field(default=None, description="in which role the person decided")
    subject: str | None = Field(default=None, description="the person's id; for the platform's staff")
    note: str | None = Field(default=None, description="why; for the platform's staff and the lender")


def referral_for(caller: Caller, application: Application) -> Referral | None:
    """What ``caller`` may read of the decision on this application's referral; None without a referral.

    The firm, and the bank it came through, see that a person decided, what and when.
    """
    if application.risk is None or application.risk.decision != "refer":
        return None
    decided = application.referral
    if decided is None:
        return Referral()
    staff = caller.role in STAFF
    return Referral(
        decision=decided.action,
        decided_at=decided.at,
        role=decided.role,
        subject=decided.subject if staff else None,
        note=decided.note if staff or caller.role is Role.LENDER else None,
    )
