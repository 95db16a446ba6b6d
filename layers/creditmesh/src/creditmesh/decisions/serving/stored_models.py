"""Stored artefacts: the pointer in DynamoDB, the documents in S3.

Used by functions and the resident job. The clients are arguments: this package imports nothing of AWS. The registry
(`creditmesh.governance`) writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from creditmesh.risk.artefact import Artefact, Verify, load
from creditmesh.risk.errors import ArtefactInvalid

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

CURRENT = "current"
"""Sort key of the record that names champion and challenger."""


@dataclass(frozen=True)
class Pointer:
    """The hashes of the versions in use. Without a champion, the shipped model decides."""

    champion: str | None = None
    previous: str | None = None
    challenger: str | None = None
    revision: int = 0


@dataclass(frozen=True)
class Places:
    """Where a model is stored."""

    model_id: str
    table: str
    bucket: str
    shipped_key: str
    """The object that decides until another version is promoted."""


class ArtefactMissing(ArtefactInvalid):
    """No such document is stored."""


def object_key(model_id: str, content_hash: str) -> str:
    """Return the S3 key of a version's document."""
    return f"models/{model_id}/{content_hash.removeprefix('sha256:')}.json"


class StoredModels:
    """Reads one model's pointer and versions; each document is verified by hash and signature."""

    def __init__(self, dynamodb: DynamoDBClient, s3: S3Client, places: Places, verify: Verify) -> None:
        """``verify`` decides whose signatures count."""
        self._dynamodb, self._s3, self.places, self._verify = dynamodb, s3, places, verify

    def pointer(self) -> Pointer:
        key = {"model_id": {"S": self.places.model_id}, "record": {"S": CURRENT}}
        item = self._dynamodb.get_item(TableName=self.places.table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return Pointer()
        texts = {name: item[name]["S"] for name in ("champion", "previous", "challenger") if name in item}
        return Pointer(**texts, revision=int(item["revision"]["N"]))

    def load(self, content_hash: str | None) -> Artefact:
        """Return the version with that hash; the shipped one for None.

        Raises:
            ArtefactInvalid: missing, altered, unsigned, or another one.
        """
        artefact = load(self.shipped_text() if content_hash is None else self.text(content_hash), self._verify)
        if artefact.model_id != self.places.model_id:
            raise ArtefactInvalid("$.model_id", f"must be {self.places.model_id}")
        if content_hash not in (None, artefact.content_hash):
            raise ArtefactInvalid("$.content_hash", "is not the requested one")
        return artefact

    def text(self, content_hash: str) -> str:
        """Return the stored document of that hash, unverified; the shipped one if missing.

        Raises:
            ArtefactInvalid: neither exists, or it is not text.
        """
        try:
            return self._text(object_key(self.places.model_id, content_hash))
        except ArtefactMissing:
            return self.shipped_text()

    def shipped_text(self) -> str:
        """Return the shipped document, unverified.

        Raises:
            ArtefactInvalid: missing, or not text.
        """
        return self._text(self.places.shipped_key)

    def _text(self, key: str) -> str:
        try:
            content = self._s3.get_object(Bucket=self.places.bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            raise ArtefactMissing("$", "is not stored") from None
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise ArtefactInvalid("$", "must be one JSON document") from None
