"""Documents in S3: raw answers, key data, reports, contracts, models."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from creditmesh.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ObjectTooLarge(InvalidInput):
    """What was to be read is larger than its reader takes."""

    code = "object_too_large"


class Objects:
    """One bucket. What is written once is never overwritten by other content: keys of raw answers carry their hash."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, content: bytes, content_type: str) -> str:
        """Store `content`; its SHA-256 in hex is the answer."""
        self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)
        return hashlib.sha256(content).hexdigest()

    def put_json(self, key: str, document: Any) -> str:
        """Store a document as canonical JSON (sorted keys, no floats of ours in it)."""
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return self.put(key, text.encode(), "application/json")

    def get(self, key: str, at_most: int | None = None) -> bytes:
        """The content under `key`.

        Args:
            at_most: bytes; a larger object is not read at all.

        Raises:
            NotFound: there is none.
            ObjectTooLarge: it has more than `at_most` bytes.
        """
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            raise NotFound(f"no document under {key}") from None
        if at_most is not None and found["ContentLength"] > at_most:
            found["Body"].close()
            raise ObjectTooLarge(f"has more than {at_most} bytes")
        return found["Body"].read()

    def delete(self, key: str) -> None:
        """Forget what lies under `key`; nothing happens if there is nothing."""
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def delete_below(self, prefix: str) -> None:
        """Forget all that lies below `prefix`."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for one in page.get("Contents", []):
                self.delete(one["Key"])

    def newest(self, prefix: str) -> tuple[str, datetime] | None:
        """The last key by name below `prefix` and when it was stored, or None."""
        found: tuple[str, datetime] | None = None
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for one in page.get("Contents", []):
                if found is None or one["Key"] > found[0]:
                    found = one["Key"], one["LastModified"]
        return found

    def get_json(self, key: str) -> Any:
        """The JSON document under `key`."""
        return json.loads(self.get(key))
