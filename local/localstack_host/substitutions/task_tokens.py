"""Answers to task tokens that come early.

Upstream's task with HeartbeatSeconds makes its waiting place only after the function that hands out the token has
returned; an answer that came before wakes nobody, and the task waits for its whole heartbeat.
"""

from __future__ import annotations

from typing import Any

from localstack_host import upstream
from localstack_host.config import Config


def apply(_config: Config) -> None:
    """Wake the task at once if the answer is there when the waiting place is made."""
    endpoint = upstream.asl_callback.CallbackEndpoint
    upstream_setup = endpoint.setup_heartbeat_endpoint

    def setup(self: Any, heartbeat_seconds: int) -> Any:
        place = upstream_setup(self, heartbeat_seconds)
        if self.get_outcome() is not None:
            place.notify()
        return place

    endpoint.setup_heartbeat_endpoint = setup
