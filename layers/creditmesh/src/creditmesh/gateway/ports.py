"""Interfaces of the gateway for other contexts; implemented in `gateway.service`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from creditmesh.gateway.model import Collected, DataSubject

Screen = Callable[[Mapping[str, Mapping[str, Any] | None]], tuple[Mapping[str, int], dict[str, Any]]]
"""Looks up the persons and firms named by the sources: returns figures for key data, and the look-up's record."""


class Collections(Protocol):
    """Collection from the channels of a plan."""

    def collect(
        self, plan_id: str, subject: DataSubject, inputs: Mapping[str, int], screen: Screen, *, last_word: bool = False
    ) -> Collected: ...
