"""A source's late answer over the signed route of the webhooks (G07, DESIGN 7)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from closing import receive_webhook
from creditmesh.closing.received import Receipts
from creditmesh.gateway.channels.document import Channel
from creditmesh.kernel.clock import SystemClock
from creditmesh.platform.http import Answer
from creditmesh.platform.institutions import Keys
from creditmesh.platform.signing import signed_headers
from tests.support import aws, wired
from tests.support.functions import CONTEXT
from tests.unit.gateway.channels.engine import FIRM, ORIGIN, Engine, channel

SECRET = "whsec_bWFkZS11cC1zZWNyZXQtb2YtYS1zb3VyY2U="
OTHER = "whsec_bWFkZS11cC1zZWNyZXQtb2YtYW5vdGhlcnM="


class Late:
    """A source that answers late, and the function that takes its answers."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.channel: Channel = channel(
            base_url=None, consent_scope="some_scope", cache_seconds=600,
            transport={"type": "rest", "path": "/ask", "body": {"id": "{{request_id}}"}},
            callback={"message": "answer.ready", "request_id": "data.id", "content": "data.answer"},
        )  # fmt: skip
        engine.http.answer("POST", f"{ORIGIN}/ask", 202, {})
        engine.consents.grant(FIRM, "some_scope")
        self.result = engine.collect(self.channel)

    def message(self, **changes: Any) -> bytes:
        data = {"id": self.result.request_id, "answer": {"name": "made up"}}
        return json.dumps({"type": "answer.ready", "data": data, **changes}).encode()

    def send(self, body: bytes, secret: str = SECRET, institution: str = "source", age: int = 0) -> tuple[int, Any]:
        headers = signed_headers(secret, "msg-1", int(time.time()) - age, body)
        answer = receive_webhook.handler(
            {"pathParameters": {"institution_id": institution}, "headers": headers, "body": body.decode()}, CONTEXT
        )
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def late(aws_stack: aws.Stack) -> Iterator[Late]:
    aws_stack.empty()
    engine = Engine(aws_stack, SystemClock())
    engine.book.addresses |= {"source": ORIGIN, "another": "https://another.example"}
    engine.book.keys |= {
        "source": Keys(api_key="made-up-key-1", webhook_secrets=[SECRET]), "another": Keys(webhook_secrets=[OTHER]),
    }  # fmt: skip
    made = Late(engine)
    engine.catalogue.put(made.channel, "operator-1", None)
    wired.use(directory=engine.book, clock=engine.clock)
    wired.instead("channels", engine.catalogue)
    wired.instead("late_answers", engine.late)
    table = aws_stack.refs["ReceivedWebhooks"]
    wired.instead("receipts", Receipts(engine.tables, table, engine.objects, engine.clock))
    yield made
    wired.use()


def test_an_answer_is_taken_once(late: Late) -> None:
    assert late.result.outcome == "pending"
    assert late.send(late.message()) == (200, {"duplicate": False})
    assert late.send(late.message()) == (200, {"duplicate": True})
    found = late.engine.collect(late.channel)
    assert (found.outcome, found.cached) == ("complete", True)
    assert late.engine.objects.get(found.raw_keys[0]) == late.message()


@pytest.mark.parametrize(
    "forged", [{"secret": OTHER}, {"age": 301}, {"institution": "another"}, {"institution": "nobody"}]
)
def test_what_is_not_signed_by_the_source_is_nothing(late: Late, forged: dict[str, Any]) -> None:
    status, problem = late.send(late.message(), **forged)
    assert (status, problem["detail"]) == (401, "not authentic")
    assert late.engine.collect(late.channel).outcome == "pending"


def test_another_institution_does_not_answer_for_this_one(late: Late) -> None:
    status, problem = late.send(late.message(), secret=OTHER, institution="another")
    assert (status, problem["errors"][0]["field"]) == (422, "type")
    assert late.engine.collect(late.channel).outcome == "pending"


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"type": "answer.delayed"}, 422, "type"),
        ({"type": None}, 422, "type"),
        ({"data": {}}, 422, "request_id"),
        ({"data": {"id": "req_unknown"}}, 404, None),
    ],
)
def test_what_is_not_awaited_is_refused(late: Late, changes: dict[str, Any], status: int, field: str | None) -> None:
    answered, problem = late.send(late.message(**changes))
    assert answered == status
    assert [one["field"] for one in problem.get("errors", [])] == ([field] if field else [])


def test_an_answer_before_its_receipt(late: Late) -> None:
    def at_once(call: Any) -> Answer:
        body = json.dumps({"type": "answer.ready", "data": {"id": call.json()["id"], "answer": {"name": "x"}}}).encode()
        assert late.send(body) == (200, {"duplicate": False})
        return Answer(202, b"{}")

    late.engine.http.routes["POST", f"{ORIGIN}/ask"] = at_once
    late.engine.consents.grant("91990000600000002A", "some_scope")
    assert late.engine.collect(late.channel, "91990000600000002A").outcome == "complete"


def test_after_a_withdrawal_there_is_nothing_to_answer(late: Late) -> None:
    late.engine.withdraw(late.channel)
    assert late.send(late.message())[0] == 404
    assert late.engine.stack.documents() == {}
