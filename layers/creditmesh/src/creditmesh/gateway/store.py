"""Key data in S3: a document for one firm's decision, a row for Spark over all firms."""

from __future__ import annotations

from typing import Any

from creditmesh.gateway.model import KeyDataDocument
from creditmesh.platform.objects import Objects


class KeyDataStore:
    """Key data, written once per collection."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def put(self, document: KeyDataDocument) -> str:
        """Store a document; its key."""
        key = f"key-data/{document.application_id}.json"
        self._objects.put_json(key, document.model_dump(mode="json"))
        return key

    def put_row(self, application_id: str, as_of: str, row: dict[str, Any]) -> str:
        """Store the clean row, partitioned by day as Spark reads it; its key."""
        key = f"key-data-rows/as_of={as_of[:10]}/{application_id}.json"
        self._objects.put_json(key, {"application_id": application_id, **row})
        return key

    def get(self, key: str) -> KeyDataDocument:
        """The document under `key`."""
        return KeyDataDocument.model_validate(self._objects.get_json(key))
