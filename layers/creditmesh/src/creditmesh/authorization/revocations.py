"""Revocation of authorisation codes at their sources, repeated until confirmed or given up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Literal

from creditmesh.authorization.model import Authorization
from creditmesh.authorization.records import ConsentRecord, Kind
from creditmesh.authorization.scopes import scope_of
from creditmesh.authorization.store import AuthorizationStore
from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.crypto import FieldCipher
from creditmesh.platform.http import HttpClient, InstitutionUnavailable
from creditmesh.platform.institutions import Directory
from creditmesh.platform.tables import ConditionFailed, Item, Put, Tables, Update

PENDING = "pending"
MAX_ATTEMPTS = 12
FIRST_PAUSE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 6 * 3600
_TAKEN = frozenset({200, 202, 204, 404, 410})
"""Also for a code that the source no longer knows: it is void."""

Result = Literal["revoked", "later", "failed", "settled"]


class Revocations:
    """Queues revocations and calls the sources."""

    def __init__(
        self,
        tables: Tables,
        table: str,
        cipher: FieldCipher,
        authorizations: AuthorizationStore,
        directory: Directory,
        http: HttpClient,
        clock: Clock,
    ) -> None:
        self._tables, self._table, self._cipher, self._store = tables, table, cipher, authorizations
        self._directory, self._http, self._clock = directory, http, clock

    def put(self, taxpayer_id: str, authorization: Authorization) -> Put:
        """The write for the withdrawal's transaction; it carries the encrypted code."""
        now = iso(self._clock.now())
        body = json.dumps({"taxpayer_id": taxpayer_id, "authorization_code": authorization.code})
        item = {
            "authorization_id": authorization.authorization_id,
            "taxpayer_index": authorization.taxpayer_index,
            "scope": authorization.scope,
            "tenant": authorization.tenant,
            "body": self._cipher.seal(body, self._table, authorization.authorization_id, "body"),
            "state": PENDING,
            "queue": PENDING,
            "attempts": 0,
            "due_at": now,
        }
        return Put(self._table, item, "authorization_id")

    def due(self) -> Iterable[Item]:
        """Revocations due now, earliest first."""
        until = iso(self._clock.now())
        return self._tables.query(self._table, "queue", PENDING, index="by-due", until=("due_at", until))

    def deliver(self, authorization_id: str) -> Result:
        """Call the source once; no effect if it has confirmed already."""
        item = self._tables.get(self._table, {"authorization_id": authorization_id})
        if item is None or item["state"] != PENDING:
            return "settled"
        try:
            status = self._tell(item)
        except InstitutionUnavailable:
            return self._again(item)
        if status in _TAKEN:
            return self._settle(item, Kind.REVOKED, "revoked")
        return self._again(item)

    def _tell(self, item: Item) -> int:
        scope = scope_of(item["scope"])
        sources = self._directory.of_kind(scope.institution_kind)
        if not sources or scope.revoke_path is None:
            raise InstitutionUnavailable("is not in the directory")
        source = sources[0]
        body = self._cipher.open(item["body"], self._table, item["authorization_id"], "body").encode()
        headers = {"content-type": "application/json", "x-api-key": source.keys.api_key}
        return self._http.call("POST", source.address.base_url + scope.revoke_path, headers=headers, body=body).status

    def _again(self, item: Item) -> Result:
        attempts = item["attempts"] + 1
        if attempts >= MAX_ATTEMPTS:
            return self._settle(item, Kind.REVOCATION_FAILED, "failed")
        pause = min(FIRST_PAUSE_SECONDS * 2**attempts, LONGEST_PAUSE_SECONDS)
        due = iso(self._clock.now() + timedelta(seconds=pause))
        try:
            self._tables.write(self._update(item, {"attempts": attempts, "due_at": due}))
        except ConditionFailed:
            return "settled"  # another delivery was quicker
        return "later"

    def _settle(self, item: Item, kind: Kind, result: Literal["revoked", "failed"]) -> Result:
        """The code is erased either way: a platform that may no longer use it has no reason to keep it."""
        now = iso(self._clock.now())
        entry = ConsentRecord(
            taxpayer_index=item["taxpayer_index"],
            record=f"consent#{now}#{item['authorization_id']}#{kind}",
            kind=kind,
            at=now,
            authorization_id=item["authorization_id"],
            scope=item["scope"],
            tenant=item["tenant"],
            by="platform",
        )
        write = self._update(item, {"state": result, "settled_at": now}, remove=("body", "queue", "taxpayer_index"))
        try:
            self._store.apply([write, self._store.record(entry)], entry.record)
        except ConditionFailed:
            return "settled"
        return result

    def _update(self, item: Item, change: dict[str, Any], remove: tuple[str, ...] = ()) -> Update:
        key = {"authorization_id": item["authorization_id"]}
        same = {"state": PENDING, "attempts": item["attempts"]}
        return Update(self._table, key, set=change, remove=remove, where=same)
