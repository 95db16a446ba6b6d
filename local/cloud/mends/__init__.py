"""What MiniStack lacks, each mend a module with ``apply(config)``; one that holds processes has ``close()`` too.

Each module's docstring says what upstream does and what we do instead; ``tests/contract/cloud`` runs the same probe
against MiniStack with and without the mends, so that an upgrade shows which mend has become needless.
"""

from __future__ import annotations

import importlib

from cloud.config import Config

# In this order: later mends wrap what earlier ones put in place.
ALL = (
    "lambda_workers",
    "lambda_limits",
    "role_permissions",
    "bounded_records",
    "sfn_lifecycle",
    "sfn_jsonata",
    "sfn_task_tokens",
    "sfn_distributed_map",
    "sfn_retry",
    "cfn_table_ttl",
    "cfn_secret_ref",
    "cfn_alarm_expressions",
    "cfn_yaml_definition",
    "cfn_stack_states",
    "api_import",
    "dynamodb_pace",
    "usage",
    "sfn_repeated_start",
    "sfn_nested",
    "sfn_s3_objects",
    "stream_mappings",
    "queue_mappings",
    "async_invocations",
    "emr_serverless",
    "rule_to_log_group",
    "schedules",
    "cognito_mfa",
    "service_roles",
    "cfn_name_collisions",
)  # fmt: skip


def apply_all(config: Config) -> None:
    """Apply every mend; a name that upstream no longer has raises AttributeError here, at start."""
    for name in ALL:
        importlib.import_module(f"cloud.mends.{name}").apply(config)


def shut_down() -> None:
    """Close in reverse order what the mends opened."""
    for name in reversed(ALL):
        close = getattr(importlib.import_module(f"cloud.mends.{name}"), "close", None)
        if close is not None:
            close()
