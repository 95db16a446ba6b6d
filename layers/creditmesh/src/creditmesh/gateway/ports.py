"""What other contexts have the gateway do; `gateway.service` says how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from creditmesh.gateway.model import Collected, DataSubject

Screen = Callable[[Mapping[str, Mapping[str, Any] | None]], tuple[Mapping[str, int], dict[str, Any]]]
"""Looks up in the lists who the sources tell of: figures for key data, and what they rest on."""


class Collections(Protocol):
    """Collection from the channels of a plan."""

    def collect(
        self, plan_id: str, subject: DataSubject, inputs: Mapping[str, int], screen: Screen, *, last_word: bool = False
    ) -> Collected: ...
