"""A repeated request with a key never acts twice, however long its answer is (F19)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from creditmesh.kernel.errors import KeyReused, NotFound
from creditmesh.platform.idempotency import MOST_KEPT, AnswerNotKept, once
from creditmesh.platform.web import Reply
from tests.support.world import FIRM
from tests.unit.api.client import Api, Context, new_key
from tests.unit.api.test_channels import DOCUMENT

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def ask() -> Callable[..., Reply]:
    scope = ("tenant", "operator", "POST", "/v1/x", new_key())
    return lambda act, document=None: once(scope, document, act, Context())


def answering(bodies: list[str]) -> Callable[[], Reply]:
    return lambda: Reply(201, bodies.pop(0))


@pytest.mark.parametrize("body", ["{}", "x" * (MOST_KEPT - 100), "名" * 60_000, '"' * 180_000])
def test_an_answer_is_repeated(ask: Callable[..., Reply], body: str) -> None:
    bodies = [body, "another"]
    assert [ask(answering(bodies)) for _ in range(2)] == [Reply(201, body)] * 2
    assert bodies == ["another"]
    with pytest.raises(KeyReused):
        ask(answering(bodies), {"another": "document"})


@pytest.mark.parametrize("body", ["x" * MOST_KEPT, "x" * 516_000, "名" * 70_000, "😀" * 40_000, '"' * 200_000])
def test_an_answer_too_long_to_be_stored_is_given_once(ask: Callable[..., Reply], body: str) -> None:
    bodies = [body, "another"]
    assert ask(answering(bodies)) == Reply(201, body)
    with pytest.raises(AnswerNotKept):
        ask(answering(bodies))
    assert bodies == ["another"], "not carried out again"


def test_a_failed_request_may_be_repeated(ask: Callable[..., Reply]) -> None:
    def fail() -> Any:
        raise NotFound("no such thing")

    with pytest.raises(NotFound):
        ask(fail)
    assert ask(answering(["made"])).body == "made"


def test_a_long_dry_run_is_the_same_with_a_key() -> None:
    rule = " | ".join(["{rain: [@, @]}"] * 5)
    sample = {"fields": {"taxpayer_id": FIRM.taxpayer_id}, "pages": ['{"rain": "' + "x" * 16_000 + '"}']}
    document = {**DOCUMENT, "structure": {"rule": rule}}
    operator, key = Api("operator", "platform"), new_key()
    answers = [
        operator.call("POST", "/v1/channel-dry-runs", {"channel": document, "sample": sample}, key=one)
        for one in (None, key, key)
    ]
    assert [answer.status for answer in answers] == [200] * 3
    assert len(answers[0].body) > 516_000
    assert len({answer.body for answer in answers}) == 1
