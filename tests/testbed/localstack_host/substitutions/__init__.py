"""What LocalStack's open core lacks in host mode, each in a module with ``apply(config)``.

A name that upstream does not have raises AttributeError at start, so nothing is substituted silently in vain.
"""

from __future__ import annotations

import importlib

from localstack_host.config import Config

ALL = (
    "lambda_processes", "forwarded_services", "forwarded_resources", "cloudformation_repairs",
    "jsonata_evaluation", "emr_serverless_task", "rest_api_authorizers", "rest_api_gateway_responses",
)  # fmt: skip


def apply_all(config: Config) -> None:
    """Apply every substitution."""
    for name in ALL:
        importlib.import_module(f"localstack_host.substitutions.{name}").apply(config)
