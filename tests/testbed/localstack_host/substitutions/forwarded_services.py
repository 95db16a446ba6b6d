"""Whole services that the open core lacks, or has only behind a download, answered by MiniStack.

The request goes on as it came, after LocalStack has found which service is meant; so LocalStack's own parts
(CloudFormation, event source mappings, Step Functions) reach these services like any client.
"""

from __future__ import annotations

from typing import Any

from localstack_host import upstream
from localstack_host.config import Config

SERVICES = frozenset({"dynamodb", "dynamodbstreams", "cognito-idp", "emr-serverless"})
# Hop-by-hop or set anew by the server that answers.
_DROPPED = ("Content-Encoding", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Date", "Server")


class Forwarder:
    """A handler in LocalStack's request chain."""

    def __init__(self, url: str) -> None:
        self._proxy = upstream.rolo_proxy.Proxy(url)

    def __call__(self, chain: Any, context: Any, response: Any) -> None:
        """Answer the request if it is for a forwarded service."""
        service = context.service.service_name if context.service else None
        if service not in SERVICES:
            return
        self._forward(chain, context, response)

    def public_keys(self, chain: Any, context: Any, response: Any) -> None:
        """Answer for the keys of a Cognito pool, which belong to no service's API."""
        if context.request.path.endswith("/.well-known/jwks.json"):
            self._forward(chain, context, response)

    def _forward(self, chain: Any, context: Any, response: Any) -> None:
        answer = self._proxy.forward(context.request)
        for name in _DROPPED:
            answer.headers.pop(name, None)
        response.update_from(answer)
        chain.stop()


def apply(config: Config) -> None:
    """Forward before LocalStack would load a provider of its own."""
    forwarder = Forwarder(config.forward_to)
    upstream.gateway_handlers.serve_custom_service_request_handlers.append(forwarder)
    upstream.gateway_handlers.preprocess_request.append(forwarder.public_keys)
