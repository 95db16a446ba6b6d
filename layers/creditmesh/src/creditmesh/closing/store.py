"""Closings in DynamoDB, contract documents in S3."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from creditmesh.closing.model import Closing
from creditmesh.platform.objects import Objects
from creditmesh.platform.tables import Item, Put, Ref, Step, Tables, Update, Write


class ClosingStore:
    """One item per application."""

    def __init__(self, tables: Tables, table: str, documents: Objects) -> None:
        self._tables, self._table, self._documents = tables, table, documents

    def find(self, application_id: str) -> Closing | None:
        """The closing, or None."""
        item = self._tables.get(self._table, {"application_id": application_id})
        return self.read_as(item)

    def ref(self, application_id: str) -> Ref:
        """The item of a closing, to be read together with others."""
        return Ref(self._table, {"application_id": application_id})

    @staticmethod
    def read_as(item: Item | None) -> Closing | None:
        """Convert an item read by `ref`."""
        return Closing.model_validate(item) if item else None

    def replace(self, closing: Closing, earlier: Closing | None) -> Write:
        """The write of a new closing, in place of an earlier one that came to nothing."""
        item = closing.model_dump(mode="json", exclude_none=True)
        if earlier is None:
            return Put(self._table, item, "application_id")
        key = {"application_id": item.pop("application_id")}
        return Update(
            self._table, key, item, remove=("counter", "decision"), where={"lender_id": earlier.lender_id}
        )  # fmt: skip

    def write(self, write: Write) -> None:
        """Execute one write, of this or another aggregate."""
        self._tables.write(write)

    def change(
        self,
        application_id: str,
        values: Mapping[str, Any],
        *,
        absent: Sequence[str] = (),
        where: Mapping[str, Any] | None = None,
        webhook: str | None = None,
    ) -> Update:
        """The write of a change; `absent` names attributes that must not be set yet, `where` what others must be."""
        key = {"application_id": application_id}
        append = {"webhooks": [webhook]} if webhook else {}
        return Update(self._table, key, values, append=append, absent=absent, where=where or {})

    def transact(self, writes: Sequence[Step], token: str) -> None:
        """Execute writes of this and other aggregates in one transaction."""
        self._tables.transact(writes, token)

    def keep_document(self, application_id: str, document: str) -> str:
        """Store a contract's text; returns its key, which contains the text's hash and so is never overwritten."""
        content = document.encode()
        key = f"contracts/{application_id}-{hashlib.sha256(content).hexdigest()[:16]}.txt"
        self._documents.put(key, content, "text/plain; charset=utf-8")
        return key

    def erase(self, application_id: str) -> None:
        """Delete a closing and its contract; idempotent."""
        self._documents.delete_below(f"contracts/{application_id}-")
        self._tables.delete(self._table, {"application_id": application_id})

    def document(self, key: str) -> str:
        return self._documents.get(key).decode()
