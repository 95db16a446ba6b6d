"""Revocation of authorisation codes at their sources: outbox messages, and the record of their results."""

from __future__ import annotations

from creditmesh.authorization.model import Authorization
from creditmesh.authorization.records import ConsentRecord, RecordKind
from creditmesh.authorization.scopes import scope_of
from creditmesh.authorization.store import AuthorizationStore
from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.institutions import Directory
from creditmesh.platform.outbox import API_KEY, Message, Outbox
from creditmesh.platform.tables import Item, Put

TYPE = "authorization.revoked"


class Revocations:
    """Revokes codes at their sources."""

    def __init__(self, outbox: Outbox, store: AuthorizationStore, directory: Directory, clock: Clock) -> None:
        self._outbox, self._store, self._directory, self._clock = outbox, store, directory, clock

    def put(self, taxpayer_id: str, authorization: Authorization) -> Put:
        """The write for the withdrawal's transaction, with the sealed code."""
        scope = scope_of(authorization.scope)
        sources = self._directory.of_kind(scope.institution_kind)
        message = Message(
            message_id=authorization.authorization_id,
            # A source that is not configured yet counts as unavailable.
            institution_id=sources[0].institution_id if sources else scope.institution_kind,
            type=TYPE,
            path=scope.revoke_path or "",
            about=authorization.authorization_id,
            data={"taxpayer_id": taxpayer_id, "authorization_code": authorization.code},
            manner=API_KEY,
            notes={
                "taxpayer_index": authorization.taxpayer_index,
                "scope": authorization.scope,
                "tenant": authorization.tenant,
            },
        )
        return self._outbox.put(message)

    def settled(self, item: Item, state: str) -> Put:
        """The record of a revocation that was confirmed or given up."""
        kind, now = (RecordKind.REVOKED if state == "sent" else RecordKind.REVOCATION_FAILED), iso(self._clock.now())
        entry = ConsentRecord(
            record=f"consent#{now}#{item['message_id']}#{kind}",
            kind=kind,
            at=now,
            authorization_id=item["message_id"],
            by="platform",
            **item["notes"],
        )
        return self._store.record(entry)
