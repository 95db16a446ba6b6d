"""Revokes withdrawn codes at their sources: new ones from the table's stream, the others on schedule."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, count, logger, observed
from creditmesh.platform.tables import decode


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Call each source once; a failed revocation is retried when it falls due."""
    if "Records" not in event:
        results = [_revoked(item["authorization_id"]) for item in wiring.revocations().due()]
        return {"revoked": results.count(True), "left": results.count(False)}
    failed = []
    for record in event["Records"]:
        if not _revoked(decode(record["dynamodb"]["Keys"])["authorization_id"]):
            failed.append({"itemIdentifier": str(record["dynamodb"]["SequenceNumber"])})
    return {"batchItemFailures": failed}


def _revoked(authorization_id: str) -> bool:
    """Whether it was handled, be it by noting when to try again."""
    try:
        result = wiring.revocations().deliver(authorization_id)
    except Exception as error:
        # One bad item must not block the others; the stream or the next sweep brings it again.
        logger.error("not revoked", extra={"error": type(error).__name__, "authorization_id": authorization_id})
        return False
    count("Revocations", result=result)
    return True
