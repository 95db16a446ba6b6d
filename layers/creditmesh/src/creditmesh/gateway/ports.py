"""Interfaces of the gateway for other contexts; implemented in `gateway.service`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from creditmesh.gateway.model import Collected, DataSubject, Screened

Screen = Callable[[Mapping[str, Mapping[str, Any] | None]], Screened]
"""Compares and looks up the persons and firms named by the sources."""


class Collections(Protocol):
    """Collection from the channels of a plan."""

    def collect(
        self, plan_id: str, subject: DataSubject, inputs: Mapping[str, int], screen: Screen, *, last_word: bool = False
    ) -> Collected: ...
