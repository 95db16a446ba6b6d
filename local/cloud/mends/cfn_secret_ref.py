"""``Ref`` of a secret in CloudFormation, and the content of a generated one.

On AWS ``Ref`` is the secret's ARN, which policies name as their resource; upstream returns the name. We use the ARN as
physical id and pass the name to upstream's functions. Upstream ignores ``ExcludePunctuation``; we do not.
"""

from __future__ import annotations

import string
from typing import Any

from cloud.config import Config
from cloud.upstream import provisioners, secretsmanager


def apply(_config: Config) -> None:
    """Wrap creation, update and deletion of AWS::SecretsManager::Secret."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def created(*arguments: Any, **named: Any) -> Any:
        return _by_arn(create(*arguments, **named))

    def updated(physical_id: str, *arguments: Any, **named: Any) -> Any:
        return _by_arn(update(_name(physical_id), *arguments, **named))

    def deleted(physical_id: str, *arguments: Any, **named: Any) -> Any:
        return delete(_name(physical_id), *arguments, **named)

    handlers |= {"create": created, "update": updated, "delete": deleted}
    text = provisioners._sm_secret_string

    def generated(given: dict[str, Any]) -> Any:
        wanted = given.get("GenerateSecretString") or {}
        if wanted.get("ExcludePunctuation"):
            excluded = wanted.get("ExcludeCharacters", "") + string.punctuation
            given = {**given, "GenerateSecretString": {**wanted, "ExcludeCharacters": excluded}}
        return text(given)

    provisioners._sm_secret_string = generated


def _by_arn(made: tuple[str, dict[str, str]]) -> tuple[str, dict[str, str]]:
    _, attributes = made
    return attributes["Arn"], attributes


def _name(physical_id: str) -> str:
    name, _ = secretsmanager._resolve(physical_id)
    return str(name or physical_id)
