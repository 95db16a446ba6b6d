"""Versioned documents in DynamoDB: channels and collection plans. Written versions are immutable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Conflict, NotFound
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

    def put(self, document_id: str, document: Mapping[str, Any], by: str, based_on: int | None) -> Stored:
        """Write the next version; no effect if the document equals the current one.

        Args:
            based_on: the version that the writer has seen; 0 for a new document; None for any.

        Raises:
            VersionConflict: changed concurrently.
        """
        found = self._tables.get(self._table, self._key(document_id, None))
        current = _stored(found) if found else None
        if current and current.document == document and based_on in (None, current.version, current.version - 1):
            return current
        version = current.version if current else 0
        if based_on is not None and based_on != version:
            raise VersionConflict("the current version is {version}", version=version)
        item = {
            **self._key(document_id, version + 1), "number": version + 1, "written_at": iso(self._clock.now()),
            "written_by": by, "document": json.dumps(document, ensure_ascii=False, sort_keys=True),
        }  # fmt: skip
        try:
            self._tables.transact(
                [Put(self._table, item, "document_id"), self._current(document_id, item, current)],
                f"{document_id} {version + 1}",
            )
        except ConditionFailed:
            raise VersionConflict("the document was changed meanwhile") from None
        return _stored(item)

    def _current(self, document_id: str, item: Item, current: Stored | None) -> Write:
        key = self._key(document_id, None)
        if current is None:
            return Put(self._table, {**item, **key, "listing": self._kind}, "document_id")
        values = {name: item[name] for name in ("number", "written_at", "written_by", "document")}
        return Update(self._table, key, set=values, where={"number": current.version})

    def _key(self, document_id: str, version: int | None) -> dict[str, str]:
        return {
            "document_id": f"{self._kind}#{document_id}",
            "version": CURRENT if version is None else f"v{version:06d}",
        }


def _stored(item: Item) -> Stored:
    return Stored(
        document_id=item["document_id"].partition("#")[2],
        version=item["number"],
        document=json.loads(item["document"]),
        written_at=item["written_at"],
        written_by=item["written_by"],
    )
