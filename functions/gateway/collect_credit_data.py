"""Steps CollectCreditData and FinishCollection of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.intake.bootstrap import collecting
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Collect for `application_id`; raises a named error for what is missing.

    With `last_word`, late answers are not awaited; `problem` is the reason why the firm must be asked first.
    """
    collecting().collect(event["application_id"], problem=event.get("problem"), last_word=event.get("last_word", False))
    return {}
