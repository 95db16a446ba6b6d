"""Step RecordFailure of an import of a source's list."""

from __future__ import annotations

from typing import Any

from creditmesh.platform.observability import LambdaContext, observed
from creditmesh.screening.bootstrap import list_imports


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record that import `import_id` failed with `error`; the source's earlier import stays in force."""
    found = list_imports().fail(event["import_id"], str(event["error"])[:100])
    return found.model_dump(mode="json", include={"state", "problem"})
