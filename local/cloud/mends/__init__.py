"""Corrections of MiniStack. Each mend is a module with ``apply(config)``; one that owns processes also has ``close()``.

Each module's docstring says what upstream does and what the mend does instead. ``tests/contract/cloud`` runs the same
probe with and without the mends, so that an upgrade shows which mend has become unnecessary.
"""

from __future__ import annotations

import importlib

from cloud.config import Config

# Ordered: later mends wrap earlier ones.
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
    "target_dead_letters",
    "cfn_name_collisions",
)  # fmt: skip


def apply_all(config: Config) -> None:
    """Apply every mend; raises AttributeError at start if upstream has dropped a name."""
    for name in ALL:
        importlib.import_module(f"cloud.mends.{name}").apply(config)


def shut_down() -> None:
    """Close the mends' processes in reverse order."""
    for name in reversed(ALL):
        close = getattr(importlib.import_module(f"cloud.mends.{name}"), "close", None)
        if close is not None:
            close()
