"""Scheduled daily: compares applicants with the training population, and defaults with predictions."""

from __future__ import annotations

from typing import Any

from creditmesh.governance.bootstrap import drift_watch
from creditmesh.platform.observability import LambdaContext, count, observed
from creditmesh.platform.settings import settings


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Watch the model in force; an alarm starts a training run, at most one a month."""
    report = drift_watch().run(settings().model_id)
    for alarm in report.drift.alarms:
        count("ModelDrift", 1, alarm=alarm)
    return {"alarms": report.drift.alarms, "training_started": report.training_started}
