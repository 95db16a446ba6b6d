"""``aws-sdk:s3:getObject`` in state machines: a small object's text as a task's result.

Upstream's dispatcher supports only S3 calls with XML answers and fails this one with ``States.Runtime``. We read the
object from the emulator's storage; ``Body`` is its text, as in Step Functions.
"""

from __future__ import annotations

from typing import Any

from cloud.config import Config
from cloud.upstream import s3
from cloud.upstream import stepfunctions as sf

_GET = "aws-sdk:s3:getObject"
_LARGEST = 256 * 1024


def apply(_config: Config) -> None:
    """Answer this call before upstream's dispatcher."""
    upstream = sf._invoke_aws_sdk_integration

    def invoke(resource: str, given: dict[str, Any]) -> Any:
        return _get(given) if resource.endswith(_GET) else upstream(resource, given)

    sf._invoke_aws_sdk_integration = invoke


def _get(given: dict[str, Any]) -> dict[str, Any]:
    status, headers, body = s3._get_object(given["Bucket"], given["Key"], {}, {})
    if status != 200:
        missing = "NoSuchBucketException" if given["Bucket"] not in s3._buckets else "NoSuchKeyException"
        raise sf._ExecutionError(f"S3.{missing}", f"no object s3://{given['Bucket']}/{given['Key']}")
    content = body if isinstance(body, bytes) else bytes(body.encode())
    if len(content) > _LARGEST:
        raise sf._ExecutionError("States.DataLimitExceeded", f"{len(content)} bytes are more than a state may carry")
    named = {name.lower(): value for name, value in headers.items()}
    return {"Body": content.decode("utf-8", "replace"), "ContentLength": len(content),
            "ContentType": named.get("content-type", ""), "ETag": named.get("etag", "")}  # fmt: skip
