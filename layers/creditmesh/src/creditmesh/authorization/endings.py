"""Follow-up of a change of an authorisation: at once, and again from the records' stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from creditmesh.authorization.model import record_key
from creditmesh.authorization.records import ENDINGS, ConsentRecord, RecordKind
from creditmesh.authorization.scopes import TAX
from creditmesh.authorization.store import AuthorizationStore
from creditmesh.authorization.watches import Watches
from creditmesh.kernel.clock import Clock

OnGranted = Callable[[str, str], None]
"""Called with taxpayer index and tenant, so that what waits for access to tax data goes on. Must be idempotent."""
OnEnded = Callable[[str, str, str], None]
"""Called with taxpayer index, scope and authorisation id to erase what was read under it. Must be idempotent."""


@dataclass(frozen=True)
class FollowUp:
    """Erases what was read under an ended authorisation, resumes what waits for a new one, updates blind spots."""

    store: AuthorizationStore
    watches: Watches
    on_ended: OnEnded
    on_granted: OnGranted
    clock: Clock

    def after(self, record: ConsentRecord) -> None:
        """Follow up an ending immediately, so that it takes effect at once; see `again` for the rest."""
        if record.kind in ENDINGS:
            self.on_ended(record.taxpayer_index, record.scope, record.authorization_id)
            self._reconcile(record)

    def again(self, record: ConsentRecord) -> None:
        """Follow up from the records' stream: grants, and endings whose process died.

        Data read under a newer authorisation is kept.
        """
        if record.kind in ENDINGS:
            stands = self.store.peek(record.taxpayer_index, record_key(record.scope, record.tenant))
            if stands is None or stands.authorization_id == record.authorization_id:
                self.on_ended(record.taxpayer_index, record.scope, record.authorization_id)
        if record.grants(TAX, self.clock.now()):
            self.on_granted(record.taxpayer_index, record.tenant)
        self._reconcile(record)

    def _reconcile(self, record: ConsentRecord) -> None:
        if record.kind in ENDINGS or record.kind is RecordKind.GRANTED:
            self.watches.reconcile(record.taxpayer_index, record.scope, record.tenant)


def consent_event(record: ConsentRecord) -> dict[str, Any]:
    """A record as an event, without taxpayer index and subject."""
    return {
        "event_id": f"{record.authorization_id}.{record.record.partition('#')[2]}",
        "kind": record.kind.value,
        "authorization_id": record.authorization_id,
        "scope": record.scope,
        "tenant": record.tenant,
        "subject_id": record.subject_id,
        "expires_at": record.expires_at,
        "note": record.note,
        "at": record.at,
    }
