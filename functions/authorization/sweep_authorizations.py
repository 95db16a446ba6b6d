"""Scheduled: reminds of authorisations that end soon, marks what ended under monitoring."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, count, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what falls due; each notice goes out once."""
    done = wiring.expiry_sweep().run()
    for notice, number in done.items():
        count("AuthorizationNotices", number, notice=notice)
    return done
