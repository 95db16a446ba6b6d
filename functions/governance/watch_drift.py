"""Scheduled daily: compares applicants with the training population, and defaults with predictions."""

from __future__ import annotations

from typing import Any

from creditmesh.governance.bootstrap import drift_watch
from creditmesh.platform.observability import LambdaContext, count, observed
from creditmesh.platform.settings import settings
from creditmesh.risk.document import model_id_of


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Watch the models in force; an alarm starts a training run, at most one a month for each."""
    reports = [drift_watch().run(model_id_of(key)) for key in settings().shipped_models]
    for alarm in (alarm for report in reports for alarm in report.drift.alarms):
        count("ModelDrift", 1, alarm=alarm)
    return {
        report.model_id: {"alarms": report.drift.alarms, "training_started": report.training_started}
        for report in reports
    }
