"""Authorisations in DynamoDB: found by blind index, codes encrypted, each change in one transaction with its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from creditmesh.authorization.model import Authorization, record_key
from creditmesh.authorization.records import ConsentRecord, Use
from creditmesh.kernel.clock import parse_instant
from creditmesh.platform.paging import Page, Partition, Window, read
from creditmesh.platform.tables import Absent, Delete, Item, Put, Step, Tables, Update, Write

if TYPE_CHECKING:
    from creditmesh.platform.blind_index import BlindIndex
    from creditmesh.platform.crypto import FieldCipher

FIRM = "taxpayer_id"
"""Kind of the blind index of firms."""
SEALED = ("code", "code_verifier")
ERASED = (*SEALED, "fields")
"""What the borrower brought, which is removed when the authorisation ends."""
OPTIONAL = tuple(name for name, field in Authorization.model_fields.items() if field.default is None or name in ERASED)
_PLAIN = tuple(name for name in Authorization.model_fields if name not in SEALED)


class AuthorizationStore:
    """One item per taxpayer, scope and tenant; a new authorisation overwrites the old.

    Args:
        table: the current authorisations.
        records_table: the history, append-only.
        keep_days: for how long after a right's end its history is kept.
    """

    def __init__(self, tables: Tables, table: str, records_table: str, cipher: FieldCipher, keep_days: int) -> None:
        self._tables, self._table, self._records, self._cipher = tables, table, records_table, cipher
        self._keep = timedelta(days=keep_days)

    def get(self, taxpayer_index: str, scope: str, tenant: str) -> Authorization | None:
        """The stored authorisation with its code, valid or not, or None."""
        item = self._tables.get(self._table, self._key(taxpayer_index, record_key(scope, tenant)))
        return self.open(item) if item else None

    def sealed(self, taxpayer_index: str, tenant: str) -> dict[str, Item]:
        """A tenant's stored authorisations of a taxpayer by scope, valid or not, codes still encrypted; see `open`."""
        found = self._tables.query(self._table, "taxpayer_index", taxpayer_index, consistent=True)
        return {item["scope"]: item for item in found if item["tenant"] == tenant}

    def open(self, item: Item) -> Authorization:
        codes = {
            name: self._cipher.open(item[name], self._table, item["authorization_id"], name)
            for name in SEALED
            if item.get(name)
        }
        fields = {
            name: self._cipher.open(sealed, self._table, item["authorization_id"], f"fields.{name}")
            for name, sealed in item.get("fields", {}).items()
        }
        return Authorization.model_validate({**item, **codes, "fields": fields})

    def peek(self, taxpayer_index: str, record: str) -> Authorization | None:
        """The stored authorisation without decrypting its code."""
        item = self._tables.get(self._table, self._key(taxpayer_index, record))
        return _without_code(item) if item else None

    def all_of(self, taxpayer_index: str) -> list[Authorization]:
        """All authorisations of a taxpayer, without codes."""
        found = self._tables.query(self._table, "taxpayer_index", taxpayer_index, consistent=True, fields=_PLAIN)
        return [_without_code(item) for item in found]

    def index_of(self, index: BlindIndex, taxpayer_id: str) -> str:
        """The index that a firm's items are under; a firm moves to another key as a whole."""
        indexes = index.each(FIRM, taxpayer_id)
        if len(indexes) == 1:
            return indexes[0]
        return next(filter(self.holds, indexes), index.of(FIRM, taxpayer_id))

    def holds(self, taxpayer_index: str) -> bool:
        """Whether there are authorisations under this index."""
        found = self._tables.query(
            self._table, "taxpayer_index", taxpayer_index, limit=1, consistent=True, fields=("record",)
        )
        return next(found, None) is not None

    def due(self, queue: str, until: str, limit: int) -> Iterator[Authorization]:
        """Authorisations due for the sweep, earliest first, in their current state."""
        found = self._tables.query(
            self._table, "due_queue", queue, index="by-due", until=("due_at", until), limit=limit
        )
        for key in found:
            stands = self.peek(key["taxpayer_index"], key["record"])
            if stands and stands.due_at and stands.due_at <= until:
                yield stands

    def write(self, new: Authorization, previous: Authorization | None) -> Write:
        """The write that replaces the authorisation that was read before."""
        item = {**new.model_dump(mode="json", exclude_none=True), "record": new.record}
        for name in SEALED:
            item[name] = self._cipher.seal(item[name], self._table, new.authorization_id, name) if item[name] else None
        item["fields"] = {
            name: self._cipher.seal(value, self._table, new.authorization_id, f"fields.{name}")
            for name, value in new.fields.items()
        } or None
        if previous is None:
            return Put(self._table, item, "taxpayer_index")
        key = {name: item.pop(name) for name in ("taxpayer_index", "record")}
        absent = tuple(name for name in OPTIONAL if item.get(name) is None)
        return Update(self._table, key, item, absent, where={"authorization_id": previous.authorization_id})

    def instead_of(self, authorization: Authorization) -> Delete:
        """The step that deletes an authorisation which is rewritten under another index."""
        key = self._key(authorization.taxpayer_index, authorization.record)
        return Delete(self._table, key, {"authorization_id": authorization.authorization_id})

    def none_under(self, taxpayer_index: str, record: str) -> Absent:
        """Condition that there is no such authorisation under another index."""
        return Absent(self._table, self._key(taxpayer_index, record))

    def change(
        self,
        authorization: Authorization,
        values: Mapping[str, Any],
        *,
        remove: Sequence[str] = (),
        where: Mapping[str, Any] | None = None,
        absent: Sequence[str] = (),
    ) -> Update:
        """The write that changes this authorisation, and fails if another has replaced it."""
        key = self._key(authorization.taxpayer_index, authorization.record)
        same = {"authorization_id": authorization.authorization_id, **(where or {})}
        return Update(self._table, key, values, tuple(remove), where=same, absent=absent)

    def record(self, entry: ConsentRecord | Use) -> Put:
        """The write that appends to the history and never overwrites; it ends by itself."""
        ends = max(entry.at, (isinstance(entry, ConsentRecord) and entry.expires_at) or entry.at)
        forget_at = int((parse_instant(ends) + self._keep).timestamp())
        return Put(
            self._records, {**entry.model_dump(mode="json", exclude_none=True), "forget_at": forget_at}, "record"
        )

    def apply(self, writes: Sequence[Step], token: str) -> None:
        """Apply all writes or none.

        Raises:
            ConditionFailed: an item is not as expected.
        """
        self._tables.transact(writes, token)

    def consents(self, taxpayer_indexes: Sequence[str], tenant: str, window: Window) -> Page[ConsentRecord]:
        """Consent records of a tenant's taxpayer, newest first."""
        return self._history(taxpayer_indexes, "consent", tenant, window).map(ConsentRecord.model_validate)

    def uses(self, taxpayer_indexes: Sequence[str], tenant: str, window: Window) -> Page[Use]:
        """Uses of the authorisations of a tenant's taxpayer, newest first."""
        return self._history(taxpayer_indexes, "use", tenant, window).map(Use.model_validate)

    def _history(self, taxpayer_indexes: Sequence[str], entry: str, tenant: str, window: Window) -> Page[Item]:
        partitions = [
            Partition(
                self._records, ("taxpayer_index", "record"), "taxpayer_index", index, sort="record", newest_first=True,
                between=(f"{entry}#", f"{entry}#~"),
            )
            for index in taxpayer_indexes
        ]  # fmt: skip
        return read(self._tables, partitions, window, lambda item: bool(item["tenant"] == tenant))

    @staticmethod
    def _key(taxpayer_index: str, record: str) -> dict[str, str]:
        return {"taxpayer_index": taxpayer_index, "record": record}


def _without_code(item: Item) -> Authorization:
    plain = {name: value for name, value in item.items() if name not in SEALED}
    return Authorization.model_validate({**plain, "fields": dict.fromkeys(item.get("fields", {}), "")})
