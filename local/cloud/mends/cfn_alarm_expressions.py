"""Alarms over an expression of several metrics (``Metrics``) in CloudFormation.

Upstream refuses them. We store such an alarm with a metric that nobody reports, so it never fires here.
"""

from __future__ import annotations

from typing import Any

from cloud.config import Config
from cloud.upstream import provisioners


def apply(_config: Config) -> None:
    """Wrap the creation of alarm records."""
    upstream = provisioners._cw_metric_alarm_record

    def record(name: str, properties: dict[str, Any]) -> Any:
        if properties.get("Metrics"):
            kept = {key: value for key, value in properties.items() if key != "Metrics"}
            properties = {**kept, "Namespace": "expression", "MetricName": name}
        return upstream(name, properties)

    provisioners._cw_metric_alarm_record = record
