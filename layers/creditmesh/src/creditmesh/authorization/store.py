"""Authorisations in DynamoDB: found by a blind index of the taxpayer id, the code sealed."""

from __future__ import annotations

from creditmesh.authorization.model import Authorization
from creditmesh.platform.crypto import FieldCipher
from creditmesh.platform.tables import Put, Tables, Update


class AuthorizationStore:
    """One item per taxpayer and source; a new authorisation overwrites the old (C08)."""

    def __init__(self, tables: Tables, table: str, cipher: FieldCipher) -> None:
        self._tables, self._table, self._cipher = tables, table, cipher

    def get(self, taxpayer_index: str, source: str) -> Authorization | None:
        """The stored authorisation, valid or not, or None."""
        item = self._tables.get(self._table, self._key(taxpayer_index, source))
        if item is None:
            return None
        item["code"] = self._cipher.open(item["code"], self._table, taxpayer_index, "code")
        return Authorization.model_validate(item)

    def put(self, authorization: Authorization) -> None:
        """Store, overwriting what was there."""
        item = authorization.model_dump(mode="json")
        item["code"] = self._cipher.seal(authorization.code, self._table, authorization.taxpayer_index, "code")
        self._tables.write(Put(self._table, item, "taxpayer_index", replace=True))

    def reject(self, authorization: Authorization, reason: str) -> None:
        """Mark as refused by its source, unless a newer one has taken its place.

        Raises:
            ConditionFailed: a newer one has.
        """
        key = self._key(authorization.taxpayer_index, authorization.source)
        change = {"standing": "rejected", "rejected_reason": reason}
        self._tables.write(Update(self._table, key, set=change, where={"granted_at": authorization.granted_at}))

    @staticmethod
    def _key(taxpayer_index: str, source: str) -> dict[str, str]:
        return {"taxpayer_index": taxpayer_index, "source": source}
