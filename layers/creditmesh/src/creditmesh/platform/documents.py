"""Versioned documents in DynamoDB: channels, collection plans, loan flows. Written versions are immutable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Conflict, NotFound, SamePerson
from creditmesh.platform.tables import ConditionFailed, Item, Put, Tables, Update, Write

CURRENT = "current"


class VersionConflict(Conflict):
    """The document has changed since the version that the change is based on."""

    code = "version_conflict"


@dataclass(frozen=True)
class Stored:
    """One version of a document."""

    document_id: str
    version: int
    document: dict[str, Any]
    written_at: str
    written_by: str
    approved_at: str | None = None
    approved_by: str | None = None
    """Second person, of documents that need one."""


class VersionedDocuments:
    """Documents of one kind; several kinds share a table."""

    def __init__(self, tables: Tables, table: str, kind: str, clock: Clock) -> None:
        self._tables, self._table, self._kind, self._clock = tables, table, kind, clock

    def get(self, document_id: str, version: int | None = None) -> Stored:
        """A version, the current one by default.

        Raises:
            NotFound: unknown id or version.
        """
        found = self._tables.get(self._table, self._key(document_id, version))
        if found is None:
            raise NotFound(f"no such {self._kind}", field=f"{self._kind}_id")
        return _stored(found)

    def all(self) -> Iterator[Stored]:
        """The current versions, by id."""
        return map(_stored, self._tables.query(self._table, "listing", self._kind, index="by-listing"))

    def versions(self, document_id: str, limit: int | None = None) -> Iterator[Stored]:
        """Every version of a document, newest first."""
        bounds = ("version", "v000000", "v999999")
        partition = f"{self._kind}#{document_id}"
        found = self._tables.query(
            self._table, "document_id", partition, between=bounds, newest_first=True, limit=limit
        )
        return map(_stored, found)

    def put(self, document_id: str, document: Mapping[str, Any], by: str, based_on: int | None) -> Stored:
        """Write the next version; no effect if the document equals the current one.

        Args:
            based_on: the version that the writer has seen; 0 for a new document; None for any.

        Raises:
            VersionConflict: changed concurrently.
        """
        found = self._tables.get(self._table, self._key(document_id, None))
        current = _stored(found) if found else None
        if current and _is_repeated(current, document, based_on):
            return current
        item = self._next(document_id, current, document, by, based_on)
        try:
            self._tables.transact(
                [Put(self._table, item, "document_id"), self._current(document_id, item, current)],
                f"{document_id} {item['number']}",
            )
        except ConditionFailed:
            raise VersionConflict("the document was changed meanwhile") from None
        return _stored(item)

    def _next(
        self, document_id: str, latest: Stored | None, document: Mapping[str, Any], by: str, based_on: int | None
    ) -> Item:
        version = latest.version if latest else 0
        if based_on is not None and based_on != version:
            raise VersionConflict("the current version is {version}", version=version)
        return {
            **self._key(document_id, version + 1), "number": version + 1, "written_at": iso(self._clock.now()),
            "written_by": by, "document": json.dumps(document, ensure_ascii=False, sort_keys=True),
        }  # fmt: skip

    def _current(self, document_id: str, item: Item, current: Stored | None) -> Write:
        key = self._key(document_id, None)
        if current is None:
            return Put(self._table, {**item, **key, "listing": self._kind}, "document_id")
        values = {name: value for name, value in item.items() if name not in key}
        return Update(self._table, key, set=values, where={"number": current.version})

    def _key(self, document_id: str, version: int | None) -> dict[str, str]:
        return {
            "document_id": f"{self._kind}#{document_id}",
            "version": CURRENT if version is None else f"v{version:06d}",
        }


class CheckedDocuments(VersionedDocuments):
    """Documents whose versions take effect once a second person has approved them."""

    def propose(self, document_id: str, document: Mapping[str, Any], by: str, based_on: int | None) -> Stored:
        """Write the next version, which nothing uses yet; no effect if the document equals the newest one.

        Args:
            based_on: the newest version that the writer has seen; 0 for a new document; None for any.

        Raises:
            VersionConflict: changed concurrently.
        """
        newest = next(self.versions(document_id, 1), None)
        if newest and _is_repeated(newest, document, based_on):
            return newest
        item = self._next(document_id, newest, document, by, based_on)
        try:
            self._tables.write(Put(self._table, item, "document_id"))
        except ConditionFailed:
            raise VersionConflict("the document was changed meanwhile") from None
        return _stored(item)

    def approve(self, document_id: str, version: int, by: str) -> Stored:
        """Put a version in force; idempotent.

        Raises:
            NotFound: unknown id or version.
            SamePerson: who wrote it cannot approve it.
            VersionConflict: a newer one is in force, or it was approved by somebody else meanwhile.
        """
        proposed = self.get(document_id, version)
        if proposed.approved_by is not None:
            return proposed
        if proposed.written_by == by:
            raise SamePerson("another person must approve what you have written")
        found = self._tables.get(self._table, self._key(document_id, None))
        current = _stored(found) if found else None
        if current and current.version > version:
            raise VersionConflict("the current version is {version}", version=current.version)
        approval = {"approved_at": iso(self._clock.now()), "approved_by": by}
        item = {
            **self._key(document_id, version), "number": version, "written_at": proposed.written_at,
            "written_by": proposed.written_by, **approval,
            "document": json.dumps(proposed.document, ensure_ascii=False, sort_keys=True),
        }  # fmt: skip
        marked = Update(self._table, self._key(document_id, version), set=approval, absent=("approved_by",))
        try:
            self._tables.transact([marked, self._current(document_id, item, current)], f"{document_id} {version}")
        except ConditionFailed:
            raise VersionConflict("the document was changed meanwhile") from None
        return _stored(item)


def _is_repeated(latest: Stored, document: Mapping[str, Any], based_on: int | None) -> bool:
    return latest.document == document and based_on in (None, latest.version, latest.version - 1)


def _stored(item: Item) -> Stored:
    return Stored(
        document_id=item["document_id"].partition("#")[2],
        version=item["number"],
        document=json.loads(item["document"]),
        written_at=item["written_at"],
        written_by=item["written_by"],
        approved_at=item.get("approved_at"),
        approved_by=item.get("approved_by"),
    )
