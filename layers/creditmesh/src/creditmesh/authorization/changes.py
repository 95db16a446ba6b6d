"""Changes of an authorisation, each in one transaction with its consent record, followed up at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from creditmesh.authorization.endings import FollowUp
from creditmesh.authorization.model import (
    Authorization,
    How,
    Language,
    Standing,
    due_queue,
    next_due,
    record_key,
)
from creditmesh.authorization.records import ConsentRecord, RecordKind
from creditmesh.authorization.revocations import Revocations
from creditmesh.authorization.scopes import Scope
from creditmesh.authorization.store import ERASED, AuthorizationStore
from creditmesh.authorization.texts import consent_to
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import NotFound, Unavailable
from creditmesh.kernel.ids import new_id
from creditmesh.platform.tables import ConditionFailed, Step, Write

_OVER = (*ERASED, "due_queue", "due_at")
"""Attributes removed when an authorisation ends: what was brought, and its entry in the due-date index."""

_ATTEMPTS = 6


@dataclass(frozen=True)
class Granted:
    """The content of a grant."""

    expires_at: str
    by: str
    how: How
    language: Language
    code: str = field(default="", repr=False)
    """Empty for a consent given on the platform."""
    code_verifier: str = field(default="", repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)


class Changes:
    """Applies changes; a concurrent change leads to a retry."""

    def __init__(self, store: AuthorizationStore, revocations: Revocations, follow_up: FollowUp, clock: Clock) -> None:
        self._store, self._revocations, self._follow_up, self._clock = store, revocations, follow_up, clock

    def grant(
        self,
        index: str,
        scope: Scope,
        tenant: str,
        granted: Granted,
        elsewhere: Sequence[str] = (),
        *,
        first: bool = False,
    ) -> Authorization:
        """Store a new authorisation, replacing the existing one.

        Args:
            elsewhere: other indexes that may hold an earlier one; only one authorisation may exist in total.
            first: there was none when it was requested, so the first attempt skips the look-up.
        """
        record = record_key(scope.name, tenant)
        for attempt in range(_ATTEMPTS):
            blind = first and attempt == 0 and not elsewhere
            previous = None if blind else self._store.peek(index, record)
            steps: list[Step] = []
            for other in elsewhere:
                if stray := self._store.peek(other, record):
                    steps.append(self._store.instead_of(stray))
                else:
                    steps.append(self._store.none_under(other, record))
                previous = previous or stray
            new = self._new(index, scope, tenant, granted, previous)
            records = [ConsentRecord.of(new, RecordKind.GRANTED, new.granted_at, granted.by)]
            if previous:
                records.append(ConsentRecord.of(previous, RecordKind.OVERWRITTEN, new.granted_at, granted.by))
            try:
                under_this = previous if previous and previous.taxpayer_index == index else None
                self._apply([self._store.write(new, under_this), *steps], records)
            except ConditionFailed:
                continue
            return new
        raise Unavailable("try again in a moment")

    def reject(self, authorization: Authorization, reason: str) -> None:
        """Mark as refused by its source; no effect if it has ended."""
        now = iso(self._clock.now())
        change = {"standing": Standing.REJECTED.value, "rejected_reason": reason, "ended_at": now}
        active = {"standing": Standing.ACTIVE.value}
        write = self._store.change(authorization, change, remove=_OVER, where=active)
        try:
            self._apply([write], [ConsentRecord.of(authorization, RecordKind.REJECTED, now, "source", note=reason)])
        except ConditionFailed:
            return

    def withdraw(self, index: str, scope: Scope, tenant: str, taxpayer_id: str, by: str) -> None:
        """Withdraw and queue the revocation at the source. Idempotent.

        Raises:
            NotFound: never granted.
        """
        for _ in range(_ATTEMPTS):
            stands = self._store.get(index, scope.name, tenant)
            if stands is None:
                raise NotFound("no consent was given for this scope", field="scope")
            if stands.standing is Standing.WITHDRAWN:
                return None
            now = iso(self._clock.now())
            change = {"standing": Standing.WITHDRAWN.value, "ended_at": now}
            as_read = {"standing": stands.standing.value}
            writes: list[Write] = [self._store.change(stands, change, remove=_OVER, where=as_read)]
            if scope.revoke_path and stands.code:
                writes.append(self._revocations.put(taxpayer_id, stands))
            try:
                return self._apply(writes, [ConsentRecord.of(stands, RecordKind.WITHDRAWN, now, by)])
            except ConditionFailed:
                continue
        raise Unavailable("try again in a moment")

    def note_erasure(self, authorization: Authorization, by: str) -> None:
        """Record that the firm asked for erasure, which triggers a second erasure of what was read."""
        with suppress(ConditionFailed):  # requested twice at the same time
            self._apply([], [ConsentRecord.of(authorization, RecordKind.ERASED, iso(self._clock.now()), by)])

    def _new(
        self, index: str, scope: Scope, tenant: str, granted: Granted, previous: Authorization | None
    ) -> Authorization:
        now = self._clock.now()
        due = next_due(granted.expires_at, now)
        return Authorization(
            taxpayer_index=index,
            scope=scope.name,
            tenant=tenant,
            authorization_id=new_id("auth", now),
            code=granted.code,
            code_verifier=granted.code_verifier,
            fields=dict(granted.fields),
            granted_at=iso(now),
            granted_by=granted.by,
            how=granted.how,
            expires_at=granted.expires_at,
            consent=consent_to(scope, granted.language),
            renewal_of=previous.authorization_id if previous else None,
            due_queue=due_queue(index) if due else None,
            due_at=due,
        )

    def _apply(self, writes: Sequence[Step], records: Sequence[ConsentRecord]) -> None:
        self._store.apply([*writes, *map(self._store.record, records)], records[0].record)
        for record in records:
            self._follow_up.after(record)
