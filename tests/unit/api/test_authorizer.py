"""The authoriser as API Gateway calls it (DESIGN 8)."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime

import pytest

from api import authorizer
from creditmesh.platform.tokens import guest_tenant, guest_token
from tests.support import wired
from tests.unit.api.client import ROOT, Context, new_key

pytestmark = pytest.mark.usefixtures("cloud")

EVENT = json.loads((ROOT / "tests/events/rest_api_authorizer.json").read_text())


@pytest.fixture
def token():
    authorizer.verifier.cache_clear()
    tenant = guest_tenant(wired.guest_keys().current, new_key())
    return guest_token(wired.guest_keys().current, tenant=tenant, application_id="app_1", issued_at=datetime.now(UTC))


def _call(**headers: str | None):
    event = deepcopy(EVENT)
    event["headers"] = {**event["headers"], **headers}
    return authorizer.handler(event, Context())


def test_the_policy_holds_for_the_whole_stage_so_that_it_can_be_kept(token):
    answer = _call(Authorization=f"Bearer {token}")
    assert answer["policyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Action": "execute-api:Invoke",
                "Effect": "Allow",
                "Resource": "arn:aws:execute-api:eu-west-1:123456789012:abc123/prod/*",
            }
        ],
    }
    context = answer["context"]
    assert set(context) == {"subject", "role", "tenant"}
    assert (context["role"], context["tenant"][:6], answer["principalId"]) == ("borrower", "guest:", context["subject"])


def test_header_names_and_schemes_come_in_any_case(token):
    event = deepcopy(EVENT)
    event["headers"] = {"AUTHORIZATION": f"bearer {token}"}
    assert authorizer.handler(event, Context())["context"]["role"] == "borrower"


@pytest.mark.parametrize("text", ["", "Bearer", "Bearer ", "Basic dXNlcjpwdw==", "Bearer not.a.token", "{token}"])
def test_anything_else_is_the_word_api_gateway_knows(token, text):
    with pytest.raises(authorizer.Unauthorized, match="^Unauthorized$"):
        _call(Authorization=text.format(token=token))


def test_no_headers_at_all():
    with pytest.raises(authorizer.Unauthorized):
        authorizer.handler(deepcopy(EVENT) | {"headers": None}, Context())


def test_refusing_logs_nothing_of_the_token(token, capsys, caplog):
    with pytest.raises(authorizer.Unauthorized):
        _call(Authorization=f"Bearer {token[:-4]}AAAA")
    assert token[:20] not in caplog.text + capsys.readouterr().out
