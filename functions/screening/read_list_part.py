"""Step ReadPart of an import of a source's list."""

from __future__ import annotations

from typing import Any

from creditmesh.platform.observability import LambdaContext, observed
from creditmesh.screening.bootstrap import list_imports


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Read the next part of the file of `import_id`; `state` says whether there is more."""
    found = list_imports().read_part(event["import_id"])
    return found.model_dump(mode="json", include={"state", "lines", "accepted", "rejected"})
