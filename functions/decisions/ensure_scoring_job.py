"""Scheduled: keeps the resident Spark job running, or stops it (docs/explanation/resident-job.md).

EMR restarts a failed attempt by itself; this starts a new run if none is left or the code has changed.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from creditmesh.decisions.bootstrap import scoring_job
from creditmesh.platform.observability import LambdaContext, count, logger, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the state of the job."""
    ensured = scoring_job().ensure()
    if ensured.ready is not None:
        count("ScoringJobReady", int(ensured.ready))
    if ensured.started:
        logger.info("scoring job started", extra={"job_run_id": ensured.job_run_id})
    return asdict(ensured)
