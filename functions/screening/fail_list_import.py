"""Step RecordFailure of an import of a source's list."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record that import `import_id` failed with `error`; the source's earlier import stays in force."""
    found = wiring.list_imports().fail(event["import_id"], str(event["error"])[:100])
    return found.model_dump(mode="json", include={"state", "problem"})
