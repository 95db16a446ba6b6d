"""Scheduled: reminds of authorisations that end soon and marks monitored ones that have ended."""

from __future__ import annotations

from typing import Any

from creditmesh.authorization.bootstrap import expiry_sweep
from creditmesh.platform.observability import LambdaContext, count, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle due authorisations; each notice is sent once."""
    done = expiry_sweep().run()
    for notice, number in done.items():
        count("AuthorizationNotices", number, notice=notice)
    return done
