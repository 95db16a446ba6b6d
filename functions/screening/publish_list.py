"""Step Publish of an import of a source's list."""

from __future__ import annotations

from typing import Any

from creditmesh.platform.observability import LambdaContext, observed
from creditmesh.screening.bootstrap import list_imports


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Index import `import_id` and replace the source's earlier import."""
    found = list_imports().publish(event["import_id"])
    return found.model_dump(mode="json", include={"state", "entries", "replaces", "problem"})
