"""State machine definitions written in YAML.

CloudFormation takes an Amazon States Language definition in JSON or YAML and stores JSON. Upstream stores the text as
it is, and its interpreter fails on YAML at the first execution. We convert when the stack is created or updated.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from cloud.config import Config
from cloud.upstream import provisioners


def apply(_config: Config) -> None:
    """Wrap the reading of a template's definition."""
    upstream = provisioners._sfn_definition

    def definition(properties: dict[str, Any]) -> str:
        text: str = upstream(properties)
        return text if text.lstrip().startswith("{") else json.dumps(yaml.safe_load(text))

    provisioners._sfn_definition = definition
