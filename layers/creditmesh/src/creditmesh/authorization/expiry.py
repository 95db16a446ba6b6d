"""The sweep of expiring authorisations: reminders, renewal requests, blind spots."""

from __future__ import annotations

from typing import Any

from creditmesh.authorization.endings import FollowUp
from creditmesh.authorization.model import DUE_QUEUES, Authorization, days_to_remind, next_due
from creditmesh.authorization.records import ConsentRecord, RecordKind
from creditmesh.authorization.store import ERASED, AuthorizationStore
from creditmesh.authorization.watches import Watches
from creditmesh.kernel.clock import Clock, iso, parse_instant
from creditmesh.platform.observability import logger
from creditmesh.platform.tables import ConditionFailed, Write

PER_QUEUE = 500
"""Limit per partition and run; the next run takes the rest."""


class ExpirySweep:
    """Finds due authorisations and handles each once."""

    def __init__(self, store: AuthorizationStore, watches: Watches, follow_up: FollowUp, clock: Clock) -> None:
        self._store, self._watches, self._follow_up, self._clock = store, watches, follow_up, clock

    def run(self) -> dict[str, int]:
        """Remind of authorisations that end soon, record those that have ended; returns counts, failures included."""
        done = {"reminded": 0, "expired": 0, "left": 0}
        until = iso(self._clock.now())
        for queue in DUE_QUEUES:
            for authorization in list(self._store.due(queue, until, PER_QUEUE)):
                result = self._handled(authorization)
                if result:
                    done[result] += 1
        return done

    def _handled(self, authorization: Authorization) -> str | None:
        try:
            if parse_instant(authorization.expires_at) <= self._clock.now():
                return self._expire(authorization)
            return self._remind(authorization)
        except ConditionFailed:
            return None  # renewed, withdrawn or handled concurrently
        except Exception as error:
            # One bad item must not block those after it; the next sweep retries it.
            identity = {"error": type(error).__name__, "authorization_id": authorization.authorization_id}
            logger.error("authorisation not handled", extra=identity)
            return "left"

    def _remind(self, authorization: Authorization) -> str:
        now = self._clock.now()
        days = days_to_remind(authorization.expires_at, now)
        records = [ConsentRecord.of(authorization, RecordKind.REMINDED, iso(now), "platform", note=str(days))]
        change: dict[str, Any] = {"reminded_days": days, "due_at": next_due(authorization.expires_at, now)}
        self._write(authorization, change, (), records)
        return "reminded"

    def _expire(self, authorization: Authorization) -> str:
        now = iso(self._clock.now())
        records = [ConsentRecord.of(authorization, RecordKind.EXPIRED, now, "platform")]
        self._write(authorization, {"ended_at": now}, (*ERASED, "due_queue", "due_at"), records)
        self._follow_up.after(records[0])
        return "expired"

    def _write(
        self,
        authorization: Authorization,
        change: dict[str, Any],
        remove: tuple[str, ...],
        records: list[ConsentRecord],
    ) -> None:
        """For monitored authorisations, renewal is requested with the first notice, if possible before the gap."""
        watched = self._watches.of(authorization.taxpayer_index, authorization.scope, authorization.tenant)
        if watched and not authorization.renewal_requested_at:
            change["renewal_requested_at"] = records[0].at
            records.append(ConsentRecord.of(authorization, RecordKind.RENEWAL_REQUESTED, records[0].at, "platform"))
        as_seen = {"due_at": authorization.due_at}
        writes: list[Write] = [self._store.change(authorization, change, remove=remove, where=as_seen)]
        self._store.apply([*writes, *map(self._store.record, records)], f"{authorization.authorization_id}-due")
