"""Refusals of CloudFormation because of a stack's state or its stack policy.

Upstream creates over a stack whose creation was rolled back, makes change sets for it, and stores a stack policy
without applying it. On AWS such a stack can only be deleted, and an update that the policy does not allow fails. Not
mended: the policy's ``Update:Delete``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cloud.config import Config
from cloud.iam import allowed
from cloud.upstream import cfn_handlers, cfn_helpers, cloudformation, provisioners, stacks

_FREE = ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS")
_UPDATABLE = (
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
)  # fmt: skip

Parameters = dict[str, Any]


def apply(_config: Config) -> None:
    """Check the state before actions, and the policy before a resource is updated."""
    _ask_before("CreateStack", _may_not_create)
    _ask_before("UpdateStack", _may_not_update)
    _ask_before("CreateChangeSet", _may_not_change)
    upstream = stacks._update_resource

    def update(kind: str, physical_id: str, old: Any, new: Any, stack: str, logical_id: Any = None, *more: Any) -> Any:
        if old != new:
            _obey_policy(stack, kind, str(logical_id), old, new)
        return upstream(kind, physical_id, old, new, stack, logical_id, *more)

    stacks._update_resource = update


def _ask_before(action: str, refuse: Callable[[str, Parameters], Any]) -> None:
    upstream = cfn_handlers._ACTION_HANDLERS[action]

    def handle(parameters: Parameters) -> Any:
        name = cfn_helpers._p(parameters, "StackName")
        return refuse(name, parameters) or upstream(parameters)

    cfn_handlers._ACTION_HANDLERS[action] = handle


def _status(name: str) -> str:
    stack = cfn_handlers._resolve_stack(name)
    return str(stack["StackStatus"]) if stack else "DELETE_COMPLETE"


def _may_not_create(name: str, _parameters: Parameters) -> Any:
    if _status(name) in _FREE:
        return None
    return cfn_helpers._error("AlreadyExistsException", f"Stack [{name}] already exists")


def _may_not_update(name: str, _parameters: Parameters) -> Any:
    status = _status(name)
    if status in (*_FREE, *_UPDATABLE):  # upstream itself reports the free ones as missing
        return None
    arn = cfn_handlers._resolve_stack(name)["StackId"]
    return cfn_helpers._error("ValidationError", f"Stack:{arn} is in {status} state and can not be updated.")


def _may_not_change(name: str, parameters: Parameters) -> Any:
    kind = cfn_helpers._p(parameters, "ChangeSetType", "UPDATE")
    if kind == "UPDATE":
        return _may_not_update(name, parameters)
    if kind != "CREATE" or _status(name) in _FREE:
        return None
    change_set = cfn_helpers._p(parameters, "ChangeSetName")
    message = f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}]."
    return cfn_helpers._error("ValidationError", message)


def _obey_policy(stack: str, kind: str, logical_id: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    policy = cloudformation._stacks[stack].get("_stack_policy")
    if not policy:
        return
    replaced = provisioners._replacing_change(kind, old, new) or provisioners._custom_named_replacement_error(
        kind, old, new
    )
    action = "Update:Replace" if replaced else "Update:Modify"
    resource = f"LogicalResourceId/{logical_id}"
    if not allowed(json.loads(policy)["Statement"], action, resource, {"ResourceType": kind}):
        raise ValueError(
            f"Action denied by stack policy: Statement does not allow [{action}] for resource [{resource}]"
        )
