"""Key data in S3: one document per collection."""

from __future__ import annotations

from creditmesh.gateway.model import KeyDataDocument
from creditmesh.platform.objects import Objects


class KeyDataStore:
    """Key data, written once per collection."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def put(self, document: KeyDataDocument) -> str:
        key = f"key-data/{document.application_id}.json"
        self._objects.put_json(key, document.model_dump(mode="json"))
        return key

    def erase(self, application_id: str) -> None:
        """Delete the key data of an application and its scans."""
        self._objects.delete_below(f"key-data/{application_id}.")

    def erase_raw(self, application_id: str) -> None:
        """Delete the raw answers that an application and its scans collected."""
        for separator in "/.":
            self._objects.delete_below(f"raw/{application_id}{separator}")

    def get(self, key: str) -> KeyDataDocument:
        return KeyDataDocument.model_validate(self._objects.get_json(key))
