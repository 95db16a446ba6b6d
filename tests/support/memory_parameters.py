"""SSM's parameters in memory: moto's takes a second to load, as EC2 comes with it."""

from __future__ import annotations

from typing import Any

from tests.support.memory import Refused, Service


class MemoryParameters(Service):
    """Texts by name."""

    name = "ssm"

    def __init__(self, region: str) -> None:
        super().__init__(region)
        self._texts: dict[str, str] = {}

    def _PutParameter(self, Name: str, Value: str, **_: Any) -> dict[str, Any]:
        self._texts[Name] = Value
        return {"Version": 1}

    def _GetParameter(self, Name: str, **_: Any) -> dict[str, Any]:
        if Name not in self._texts:
            raise Refused("ParameterNotFound", f"Parameter {Name} not found.")
        return {"Parameter": {"Name": Name, "Type": "String", "Value": self._texts[Name]}}
