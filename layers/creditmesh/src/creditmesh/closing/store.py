"""Closings in DynamoDB, contract documents in S3."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from creditmesh.closing.model import Closing
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.objects import Objects
from creditmesh.platform.tables import Put, Tables, Update, Write

if TYPE_CHECKING:
    from creditmesh.intake.model import Application
    from creditmesh.intake.store import ApplicationStore


class ClosingStore:
    """One item per application."""

    def __init__(self, tables: Tables, table: str, documents: Objects) -> None:
        self._tables, self._table, self._documents = tables, table, documents

    def find(self, application_id: str) -> Closing | None:
        """The closing, or None."""
        item = self._tables.get(self._table, {"application_id": application_id})
        return Closing.model_validate(item) if item else None

    def find_with(self, application_id: str, applications: ApplicationStore) -> tuple[Application, Closing | None]:
        """The application and its closing, or None for the latter, by one call."""
        application, item = applications.get_beside(application_id, self._table)
        return application, Closing.model_validate(item) if item else None

    def get(self, application_id: str) -> Closing:
        """The closing.

        Raises:
            NotFound: nothing has been submitted for that application.
        """
        return _submitted(self.find(application_id))

    def get_with(self, application_id: str, applications: ApplicationStore) -> tuple[Application, Closing]:
        """The application and its closing, by one call.

        Raises:
            NotFound: nothing has been submitted for that application.
        """
        application, closing = self.find_with(application_id, applications)
        return application, _submitted(closing)

    def create(self, closing: Closing) -> Put:
        """The write of a new closing."""
        return Put(self._table, closing.model_dump(mode="json", exclude_none=True), "application_id")

    def change(
        self,
        application_id: str,
        values: Mapping[str, Any],
        *,
        absent: Sequence[str] = (),
        webhook: str | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> Update:
        """The write of a change; `absent` names what must not have happened yet."""
        key = {"application_id": application_id}
        append = {"webhooks": [webhook]} if webhook else {}
        return Update(self._table, key, values, append=append, where=where or {}, absent=absent)

    def transact(self, writes: Sequence[Write], token: str) -> None:
        """Carry out writes of this and other aggregates together."""
        self._tables.transact(writes, token)

    def keep_document(self, application_id: str, document: str) -> str:
        """Keep a contract's text; its key, which carries the text's hash, so that no other ever takes its place."""
        content = document.encode()
        key = f"contracts/{application_id}-{hashlib.sha256(content).hexdigest()[:16]}.txt"
        self._documents.put(key, content, "text/plain; charset=utf-8")
        return key

    def document(self, key: str) -> str:
        """A contract's text."""
        return self._documents.get(key).decode()


def _submitted(closing: Closing | None) -> Closing:
    if closing is None:
        raise NotFound("nothing has been submitted for this application", field="application_id")
    return closing
