"""Idempotency of POST requests with an Idempotency-Key, by Powertools over DynamoDB.

It costs two writes per request, so it wraps only use cases that do not recognise their own earlier result. Errors are
not stored: a failed request may be retried.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from creditmesh.kernel.errors import Conflict, KeyReused, Unavailable
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.settings import settings
from creditmesh.platform.web import Reply

KEPT_SECONDS = 86400
MOST_KEPT = 380_000
"""Bytes of an answer as stored; DynamoDB takes items of 400 KB."""


class InProgress(Conflict):
    """The first request with this key is still in progress."""

    code = "request_in_progress"


class AnswerNotKept(Conflict):
    """The first request with this key was carried out, but its answer was too long to be repeated."""

    code = "answer_not_kept"


@singleton
def _layer() -> DynamoDBPersistenceLayer:
    return DynamoDBPersistenceLayer(settings().idempotency_table, boto3_client=platform().client("dynamodb"))


def once(scope: tuple[str, ...], document: Any, act: Callable[[], Reply], context: LambdaContext | None) -> Reply:
    """Return the answer of `act`, or the stored answer to the same request in the last 24 hours.

    Args:
        scope: identifies the request: caller, route, path, key.
        document: the parsed body; only its hash is stored.
        act: carries out the request.
        context: provides the end of this invocation, after which a repeat may try again.

    Raises:
        KeyReused: the key was used with another body.
        InProgress: the first request is still in progress.
        AnswerNotKept: the first answer was too long to be stored.
        Unavailable: the table does not answer.
    """
    config = IdempotencyConfig(
        event_key_jmespath="scope",
        payload_validation_jmespath="digest",
        expires_after_seconds=KEPT_SECONDS,
        hash_function="sha256",
        lambda_context=context,
    )

    made: list[Reply] = []

    def kept(*, request: dict[str, Any]) -> dict[str, Any]:
        reply = act()
        made.append(reply)
        document = {"status": reply.status, "body": reply.body, "content_type": reply.content_type}
        return document if len(json.dumps(document)) <= MOST_KEPT else {}

    first = idempotent_function(
        kept, data_keyword_argument="request", persistence_store=_layer(), config=config, key_prefix="api"
    )
    try:
        found = first(request={"scope": list(scope), "digest": _digest(document)})
    except IdempotencyValidationError:
        raise KeyReused("this key was used for another request", field="Idempotency-Key") from None
    except IdempotencyAlreadyInProgressError:
        raise InProgress("the first request with this Idempotency-Key is still in progress") from None
    except (IdempotencyPersistenceLayerError, IdempotencyInconsistentStateError):
        raise Unavailable("try again in a moment") from None
    if made:
        return made[0]
    if not found:
        raise AnswerNotKept("the first request with this key was carried out; its answer was too long to be kept")
    return Reply(**found)


def _digest(document: Any) -> str:
    text = json.dumps(document, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
