"""Whose repeated request gets the first answer, and what comes of requests at the same time (C01)."""

from __future__ import annotations

from typing import Any

import pytest

from creditmesh.authorization.scopes import SCOPES
from creditmesh.kernel.errors import KeyReused, NotFound
from creditmesh.platform.idempotency import InProgress, once
from creditmesh.platform.web import Reply
from tests.unit.api.client import Api, Context, new_key

pytestmark = pytest.mark.usefixtures("cloud")

CONSENT = {"scope": "shop", "valid_days": 30, "text_version": SCOPES["shop"].text_version, "agreed": True}


def scope(**changed: str) -> tuple[str, ...]:
    usual = {"tenant": "firm-1", "role": "borrower", "method": "POST", "path": "/v1/things", "key": new_key()}
    return tuple((usual | changed).values())


def answered(text: str) -> Reply:
    return Reply(201, text)


def test_an_answer_is_not_for_another_tenant_with_the_same_key() -> None:
    owner, stranger, key = Api("borrower"), Api("borrower"), new_key()
    path = f"/v1/applications/{owner.apply()}/consents"
    assert owner.post(path, CONSENT, key=key).status == 201
    assert stranger.post(path, CONSENT, key=key).status == 404


def test_an_answer_is_not_for_another_role_with_the_same_key() -> None:
    path, body, key = "/v1/lists/screenings", {"subjects": [{"kind": "name", "value": "Ann"}]}, new_key()
    first = Api("operator", "platform").post(path, body, key=key)
    assert first.status == 200
    assert Api("borrower", "platform").post(path, body, key=key).status == 403


@pytest.mark.parametrize("changed", ["tenant", "role", "method", "path", "key"])
def test_each_part_of_the_request_counts(changed: str) -> None:
    key = new_key()
    mine, other = scope(key=key), scope(**{"key": key, changed: new_key()})
    assert once(mine, {}, lambda: answered("mine"), Context()).body == "mine"
    assert once(other, {}, lambda: answered("other"), Context()).body == "other"
    assert once(mine, {}, lambda: answered("again"), Context()).body == "mine"


@pytest.mark.parametrize("second", [{"a": 2}, {"b": 1}, {"a": "1"}, {"a": 1, "b": None}, [{"a": 1}], None])
def test_another_body_is_refused(second: Any) -> None:
    mine = scope()
    once(mine, {"a": 1}, lambda: answered("first"), Context())
    with pytest.raises(KeyReused) as refused:
        once(mine, second, lambda: answered("second"), Context())
    assert refused.value.field == "Idempotency-Key"


def test_a_second_request_while_the_first_is_carried_out_is_told_so() -> None:
    mine, second = scope(), []

    def act() -> Reply:
        with pytest.raises(InProgress):
            once(mine, {}, lambda: answered("second"), Context())
        second.append("refused")
        return answered("first")

    assert once(mine, {}, act, Context()).body == "first"
    assert second == ["refused"]


def test_a_failed_request_may_be_tried_again() -> None:
    mine = scope()

    def fail() -> Reply:
        raise NotFound("nothing yet")

    with pytest.raises(NotFound):
        once(mine, {}, fail, Context())
    assert once(mine, {}, lambda: answered("second"), Context()) == Reply(201, "second")
