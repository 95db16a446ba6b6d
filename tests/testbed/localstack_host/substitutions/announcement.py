"""Say over HTTP what was substituted, so that nobody takes a host-mode LocalStack for the product as it is shipped."""

from __future__ import annotations

import json
from typing import Any

from localstack_host import upstream
from localstack_host.config import ANNOUNCED_AT, LACKING, SUBSTITUTED, Config


def announce(chain: Any, context: Any, response: Any) -> None:
    """A handler in LocalStack's request chain for one path of ours."""
    if context.request.path == ANNOUNCED_AT:
        response.set_response(json.dumps({"substituted": SUBSTITUTED, "lacking": LACKING}))
        response.headers["Content-Type"] = "application/json"
        chain.stop()


def apply(_config: Config) -> None:
    """Answer before LocalStack looks for a service."""
    upstream.gateway_handlers.preprocess_request.append(announce)
