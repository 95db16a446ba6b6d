"""Moves firms' data from an earlier index key to the current one; run by an operator, not by a function."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from creditmesh.authorization.revocations import TYPE as REVOKED
from creditmesh.authorization.store import FIRM, OPTIONAL
from creditmesh.kernel.errors import Unavailable
from creditmesh.platform.outbox import PENDING_QUEUE
from creditmesh.platform.tables import ConditionFailed, Delete, Item, Put, Step, Tables, Update

if TYPE_CHECKING:
    from creditmesh.platform.blind_index import BlindIndex
    from creditmesh.platform.crypto import FieldCipher

_AT_ONCE = 45
"""Items per transaction; each takes two of the hundred steps."""
_TRIES = 8


class FirmMoves:
    """Every step is idempotent and may be interrupted.

    Args:
        reconcile: called with index, scope and tenant of watched authorisations; marks or clears the blind spot.
        authorizations, watches, records, outbox, flows: table names.
    """

    def __init__(
        self,
        tables: Tables,
        cipher: FieldCipher,
        index: BlindIndex,
        reconcile: Callable[[str, str, str], object],
        *,
        authorizations: str,
        watches: str,
        records: str,
        outbox: str,
        flows: str,
    ) -> None:
        self._tables, self._cipher, self._index, self._reconcile = tables, cipher, index, reconcile
        self._authorizations, self._watches, self._records = authorizations, watches, records
        self._outbox, self._flows = outbox, flows

    def move(self, taxpayer_id: str) -> int:
        """Move a firm's items under earlier keys; returns their number.

        Functions look for a firm under one key, so its authorisations and what depends on them move in one transaction.

        Raises:
            Unavailable: repeated concurrent changes.
        """
        current = self._index.of(FIRM, taxpayer_id)
        earlier = [one for one in self._index.each(FIRM, taxpayer_id) if one != current]
        return sum(self._standing(old, current) + self._history(old, current) for old in earlier)

    def move_revocations(self) -> int:
        """Let pending revocations identify their firm by the current index; returns their number."""
        moved = 0
        for item in list(self._revocations()):
            body = self._cipher.open(item["body"], self._outbox, item["message_id"], "body")
            notes = {**item["notes"], "taxpayer_index": self._index.of(FIRM, json.loads(body)["taxpayer_id"])}
            if item["notes"] == notes:
                continue
            with suppress(ConditionFailed):  # delivered meanwhile
                where = {"queue": PENDING_QUEUE, "attempts": item["attempts"]}
                key = {"message_id": item["message_id"]}
                self._tables.write(Update(self._outbox, key, {"notes": notes}, where=where))
                moved += 1
        return moved

    def _revocations(self) -> Iterator[Item]:
        """Revocations that their sources have not confirmed."""
        pending = self._tables.listed(self._outbox, ("message_id",), "queue", PENDING_QUEUE, index="by-due")
        return (item for item in pending if item["type"] == REVOKED)

    def left(self) -> int:
        condition, values = self._earlier("taxpayer_index")
        found = [
            *(self._tables.scan(table, condition, **values)
              for table in (self._authorizations, self._watches, self._records)),
            (item for item in self._revocations() if values["current"] not in item["notes"]["taxpayer_index"]),
        ]  # fmt: skip
        return sum(1 for items in found for _ in items)

    def codes_until(self, now: int) -> int | None:
        """Expiry of the last code known by an earlier key only, in seconds since the epoch; None if there is none."""
        condition, values = self._earlier("flow_id")
        wanted = f"begins_with(flow_id, :code) AND expires_at > :now AND {condition}"
        found = self._tables.scan(self._flows, wanted, code="code-", now=now, **values)
        return max((int(item["expires_at"]) for item in found), default=None)

    def _earlier(self, attribute: str) -> tuple[str, dict[str, str]]:
        """Filter for indexes under earlier keys: they do not name the current one, which is the highest."""
        return f"NOT contains({attribute}, :current)", {"current": f".{self._index.current.key_id}"}

    def _standing(self, old: str, current: str) -> int:
        for _ in range(_TRIES):
            standing = self._under(self._authorizations, old)
            watches = self._under(self._watches, old)
            pairs = [self._pair(self._authorizations, item, current, OPTIONAL) for item in standing]
            pairs += [self._pair(self._watches, item, current, ("blind_since",), replace=True) for item in watches]
            with suppress(ConditionFailed):
                self._carry_out(pairs, current)
                for item in watches:  # a late stream record was handled under the old index
                    self._reconcile(current, item["scope"], item["tenant"])
                return len(pairs)
            time.sleep(random.uniform(0.05, 0.2))
        raise Unavailable("too many concurrent changes of a firm's authorisations; continue later")

    def _history(self, old: str, current: str) -> int:
        pairs = [
            self._pair(self._records, {**item, "moved": True}, current, ()) for item in self._under(self._records, old)
        ]
        self._carry_out(pairs, current)
        return len(pairs)

    def _under(self, table: str, index: str) -> list[Item]:
        return list(self._tables.query(table, "taxpayer_index", index, consistent=True))

    @staticmethod
    def _pair(
        table: str, item: Item, current: str, optional: Sequence[str], *, replace: bool = False
    ) -> tuple[Step, Step]:
        """Write the item at its new key and delete the old one, if it is unchanged."""
        sort = "watch" if "watch" in item else "record"
        as_read = {name: value for name, value in item.items() if isinstance(value, str | int) and name != "moved"}
        absent = [name for name in optional if name not in item]
        key = {name: item[name] for name in ("taxpayer_index", sort)}
        put = Put(table, {**item, "taxpayer_index": current}, "taxpayer_index", replace)
        return put, Delete(table, key, as_read, absent)

    def _carry_out(self, pairs: Sequence[tuple[Step, Step]], token: str) -> None:
        for start in range(0, len(pairs), _AT_ONCE):
            steps = [step for pair in pairs[start : start + _AT_ONCE] for step in pair]
            self._tables.transact(steps, token)
