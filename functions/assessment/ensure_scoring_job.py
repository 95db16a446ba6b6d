"""Scheduled: keeps the resident Spark job alive (DESIGN 2).

EMR restarts a failed attempt by itself; this starts a new run when none is left.
"""

from __future__ import annotations

import os
from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, logger, observed

ALIVE = ["SUBMITTED", "PENDING", "SCHEDULED", "QUEUED", "RUNNING"]
NAME = "score-applications"


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Start the job unless a run of it lives."""
    emr = wiring.client("emr-serverless")
    application_id = os.environ["SCORING_APPLICATION_ID"]
    runs = emr.list_job_runs(applicationId=application_id, states=ALIVE)["jobRuns"]
    alive = [run["id"] for run in runs if run.get("name") == NAME]
    if alive:
        return {"job_run_id": alive[0], "started": False}
    run = emr.start_job_run(
        applicationId=application_id,
        name=NAME,
        mode="STREAMING",
        executionRoleArn=os.environ["SCORING_JOB_ROLE_ARN"],
        retryPolicy={"maxFailedAttemptsPerHour": 5},
        jobDriver={
            "sparkSubmit": {
                "entryPoint": os.environ["SCORING_ENTRY_POINT"],
                "entryPointArguments": os.environ["SCORING_ARGUMENTS"].split(),
                "sparkSubmitParameters": os.environ["SCORING_SPARK_PARAMETERS"],
            }
        },
    )
    logger.info("scoring job started", extra={"job_run_id": run["jobRunId"]})
    return {"job_run_id": run["jobRunId"], "started": True}
