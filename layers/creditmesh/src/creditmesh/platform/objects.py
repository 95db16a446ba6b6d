"""Documents in S3: raw answers, key data, reports, contracts, models."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from creditmesh.kernel.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ObjectTooLarge(InvalidInput):
    """The object is larger than the reader accepts."""

    code = "object_too_large"


class ObjectChanged(Conflict):
    """The object changed while it was read in pieces."""

    code = "object_changed"


class Objects:
    """One bucket. Objects are never overwritten with other content: keys of raw answers contain their hash."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, content: bytes, content_type: str) -> str:
        """Store `content`; returns its SHA-256 in hex."""
        self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)
        return hashlib.sha256(content).hexdigest()

    def put_json(self, key: str, document: Any) -> str:
        """Store a document as canonical JSON (sorted keys)."""
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return self.put(key, text.encode(), "application/json")

    def get(self, key: str, at_most: int | None = None) -> bytes:
        """The content under `key`.

        Args:
            at_most: bytes; a larger object is not read at all.

        Raises:
            NotFound: no such object.
            ObjectTooLarge: more than `at_most` bytes.
        """
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            raise NotFound(f"no object {key}") from None
        if at_most is not None and found["ContentLength"] > at_most:
            found["Body"].close()
            raise ObjectTooLarge("has more than {max} bytes", max=at_most)
        return found["Body"].read()

    def stat(self, key: str) -> tuple[int, str]:
        """Size in bytes and ETag of an object.

        Raises:
            NotFound: no such object.
        """
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            raise NotFound(f"no object {key}") from None
        return found["ContentLength"], found["ETag"]

    def get_range(self, key: str, start: int, length: int, etag: str) -> bytes:
        """Read up to `length` bytes from `start`, which is inside the object.

        Raises:
            ObjectChanged: the ETag differs, or the object is gone.
        """
        wanted = f"bytes={start}-{start + length - 1}"
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key, Range=wanted, IfMatch=etag)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (404, 412, 416):
                raise
            raise ObjectChanged(f"{key} has changed while it was read") from None
        if found["ETag"] != etag:
            found["Body"].close()
            raise ObjectChanged(f"{key} has changed while it was read")
        return found["Body"].read()

    def upload_url(self, key: str, seconds: int) -> str:
        """A URL for uploading one object by PUT, valid that long."""
        return self._client.generate_presigned_url(
            "put_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=seconds, HttpMethod="PUT"
        )

    def delete(self, key: str) -> None:
        """Delete an object; idempotent."""
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def delete_below(self, prefix: str) -> None:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                self.delete(item["Key"])

    def keys(self, prefix: str) -> list[str]:
        """All keys below `prefix`, sorted."""
        found: list[str] = []
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            found += [item["Key"] for item in page.get("Contents", [])]
        return found

    def newest(self, prefix: str) -> tuple[str, datetime] | None:
        """The last key by name below `prefix` and its time, or None."""
        found: tuple[str, datetime] | None = None
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                if found is None or item["Key"] > found[0]:
                    found = item["Key"], item["LastModified"]
        return found

    def get_json(self, key: str) -> Any:
        return json.loads(self.get(key))
