"""S3 in memory: what the platform asks of its buckets."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from botocore.response import StreamingBody

from tests.support.memory import Refused, Service


@dataclass(frozen=True)
class Stored:
    """One object."""

    content: bytes
    at: datetime
    described: dict[str, Any]

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'

    @property
    def head(self) -> dict[str, Any]:
        return {"ContentLength": len(self.content), "ETag": self.etag, "LastModified": self.at, **self.described}


class MemoryObjects(Service):
    """The buckets.

    Attributes:
        buckets: name -> key -> object.
    """

    name = "s3"

    def __init__(self, region: str) -> None:
        super().__init__(region)
        self.buckets: dict[str, dict[str, Stored]] = {}

    def below(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """The content of what lies below a prefix, by key."""
        return {key: one.content for key, one in self._bucket(bucket).items() if key.startswith(prefix)}

    def _bucket(self, name: str) -> dict[str, Stored]:
        if name not in self.buckets:
            raise Refused("NoSuchBucket", "The specified bucket does not exist", 404)
        return self.buckets[name]

    def _CreateBucket(self, Bucket: str, **_: Any) -> dict[str, Any]:
        self.buckets[Bucket] = {}
        return {"Location": f"/{Bucket}"}

    def _PutObject(self, Bucket: str, Key: str, Body: Any = b"", **more: Any) -> dict[str, Any]:
        content = Body.encode() if isinstance(Body, str) else Body if isinstance(Body, bytes) else Body.read()
        described = {name: more[name] for name in ("ContentType", "Metadata") if name in more}
        stored = self._bucket(Bucket)[Key] = Stored(content, datetime.now(UTC), described)
        return {"ETag": stored.etag}

    def _GetObject(
        self, Bucket: str, Key: str, Range: str | None = None, IfMatch: str | None = None, **_: Any
    ) -> dict[str, Any]:
        found = self._bucket(Bucket).get(Key)
        if found is None:
            raise Refused("NoSuchKey", "The specified key does not exist.", 404)
        if IfMatch not in (None, found.etag):
            raise Refused("PreconditionFailed", "At least one of the preconditions did not hold", 412)
        content = found.content
        if Range:
            start, end = map(int, re.findall(r"\d+", Range))
            if start >= len(content):
                raise Refused("InvalidRange", "The requested range is not satisfiable", 416)
            content = content[start : end + 1]
        body = StreamingBody(BytesIO(content), len(content))
        return {**found.head, "ContentLength": len(content), "Body": body}

    def _HeadObject(self, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:
        if Key not in self._bucket(Bucket):
            raise Refused("404", "Not Found", 404)
        return self._bucket(Bucket)[Key].head

    def _DeleteObject(self, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:
        self._bucket(Bucket).pop(Key, None)
        return {}

    def _ListObjectsV2(self, Bucket: str, Prefix: str = "", **_: Any) -> dict[str, Any]:
        found = sorted((key, one) for key, one in self._bucket(Bucket).items() if key.startswith(Prefix))
        listed = [
            {"Key": key, "Size": len(one.content), "ETag": one.etag, "LastModified": one.at} for key, one in found
        ]
        return {"Contents": listed, "KeyCount": len(listed), "IsTruncated": False} if listed else {"KeyCount": 0}
