"""Raw answers and key data in S3."""

from __future__ import annotations

import hashlib

from creditmesh.gateway.model import KeyDataDocument, RawAnswer, SourceRecord
from creditmesh.platform.objects import Objects


class RawAnswerStore:
    """Keeps what sources answered, as received; the key carries the content's hash, so nothing is overwritten."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def put(self, application_id: str, answer: RawAnswer) -> SourceRecord:
        """Keep one answer; where it lies."""
        digest = hashlib.sha256(answer.body).hexdigest()
        key = f"raw/{application_id}/{answer.source}-{digest[:16]}.json"
        self._objects.put(key, answer.body, "application/json")
        return SourceRecord(
            source=answer.source, channel=answer.channel, fetched_at=answer.fetched_at, raw_key=key, sha256=digest
        )


class KeyDataStore:
    """Key data, one document per application."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def put(self, document: KeyDataDocument) -> str:
        """Store a document; its key."""
        key = f"key-data/{document.application_id}.json"
        self._objects.put_json(key, document.model_dump(mode="json"))
        return key

    def get(self, key: str) -> KeyDataDocument:
        """The document under `key`."""
        return KeyDataDocument.model_validate(self._objects.get_json(key))
