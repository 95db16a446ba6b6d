"""Consent records and the audit trail of uses, both immutable."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from creditmesh.authorization.model import Authorization, Consent, How, Problem
from creditmesh.kernel.clock import parse_instant
from creditmesh.kernel.reasons import Reason


class RecordKind(StrEnum):
    """What happened to an authorisation."""

    GRANTED = "granted"
    OVERWRITTEN = "overwritten"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"
    EXPIRED = "expired"
    REMINDED = "reminded"
    RENEWAL_REQUESTED = "renewal_requested"
    BLIND_SPOT = "blind_spot"
    SIGHT_RESTORED = "sight_restored"
    REVOKED = "revoked"
    REVOCATION_FAILED = "revocation_failed"


ENDINGS = frozenset(
    {RecordKind.OVERWRITTEN, RecordKind.REJECTED, RecordKind.WITHDRAWN, RecordKind.ERASED, RecordKind.EXPIRED}
)
"""Afterwards nothing that was read under the authorisation may be reused."""


class ConsentNote(Reason):
    """What stands beside an event of an authorisation."""

    SENTENCES = {"ends_in_days": "{days}", "not_usable": "{problem}"}


ConsentNoteCode = Annotated[str, ConsentNote.enum()]


class ConsentRecord(BaseModel):
    """An event of an authorisation; a grant includes the consented text, purposes and expiry."""

    model_config = ConfigDict(frozen=True)

    taxpayer_index: str
    record: str
    entry: Literal["consent"] = "consent"
    kind: RecordKind
    at: str
    authorization_id: str
    scope: str
    tenant: str
    by: str
    """Subject, role or component that caused it."""
    note: str | None = None
    """Reason of an end, days of a reminder."""
    subject_id: str | None = None
    """The monitored application or loan, for blind spots."""
    expires_at: str | None = None
    how: How | None = None
    consent: Consent | None = None
    renewal_of: str | None = None

    @property
    def said(self) -> ConsentNote | None:
        """The note by a code."""
        if self.note is None:
            return None
        if self.kind is RecordKind.REMINDED:
            return ConsentNote.of("ends_in_days", days=int(self.note))
        return ConsentNote.of("not_usable", problem=self.note)

    def grants(self, scope: str, now: datetime) -> bool:
        """Whether it records a grant of this scope that can still be used."""
        granted = self.kind is RecordKind.GRANTED and self.scope == scope
        return granted and self.expires_at is not None and parse_instant(self.expires_at) > now

    @classmethod
    def of(
        cls, authorization: Authorization, kind: RecordKind, at: str, by: str, *, note: str | None = None
    ) -> ConsentRecord:
        granted = kind is RecordKind.GRANTED
        return cls(
            taxpayer_index=authorization.taxpayer_index,
            record=f"consent#{at}#{authorization.authorization_id}#{kind}",
            kind=kind,
            at=at,
            authorization_id=authorization.authorization_id,
            scope=authorization.scope,
            tenant=authorization.tenant,
            by=by,
            note=note,
            expires_at=authorization.expires_at,
            how=authorization.how if granted else None,
            consent=authorization.consent if granted else None,
            renewal_of=authorization.renewal_of if granted else None,
        )


class Use(BaseModel):
    """A use, or a refused attempt."""

    model_config = ConfigDict(frozen=True)

    taxpayer_index: str
    record: str
    entry: Literal["use"] = "use"
    at: str
    authorization_id: str
    scope: str
    tenant: str
    purpose: str
    by: str
    """The application or monitoring run."""
    channel: str
    outcome: Literal["allowed", "denied"]
    problem: Problem | None = None
    """Why it was denied."""
    correlation_id: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _parted(cls, item: Any) -> Any:
        """Entries of earlier releases have `denied: ` and the problem in one text."""
        outcome, colon, problem = item["outcome"].partition(": ") if isinstance(item, dict) else ("", "", "")
        return {**item, "outcome": outcome, "problem": problem} if colon else item
