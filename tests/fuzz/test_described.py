"""Schemathesis over the served OpenAPI document: no server error, nothing that the document does not describe (S20).

`make test` tries each operation once, as one role; `make test-fuzz` every operation as each of its roles, at length.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.fuzz.runner import (
    CALLERS,
    INSTITUTION,
    NOBODY,
    Known,
    Operation,
    Signer,
    bearer,
    configuration,
    explore,
    may,
    told,
)
from tests.fuzz.scenario import SECRETS, URL, inhabited, served
from tests.support.world import World

# Who tries an operation in `make test`: the first that may.
ORDER = ("borrower", "lender", "risk_officer", "operator", "manager", "auditor", "bank")


# What is no answer of `GET /v1/health` as described.
SPOILT: dict[str, dict[str, Any]] = {
    "a server error": {"statusCode": 500},
    "another status": {"statusCode": 203},
    "another format": {"headers": {"content-type": "text/plain"}},
    "a header that is not described": {"headers": {"content-type": "application/json", "x-debug": "1"}},
    "a field of another type": {"body": '{"status": "ok", "version": 7}'},
    "a field less": {"body": '{"status": "ok"}'},
    "no JSON": {"body": "fine"},
}


@pytest.fixture
def known(world: World) -> Iterator[Known]:
    found = inhabited(world)
    with served():
        yield found


@pytest.fixture
def signer(world: World) -> Signer:
    return Signer(SECRETS, world.clock.now)


def settings(caller: str, known: Known) -> dict[str, Any]:
    always = {"institution_id": "lender-a"} if caller == INSTITUTION else {}
    return {"base-url": URL, **bearer(caller if caller in ORDER else None), **known.settings(**always)}


@pytest.mark.parametrize("caller", [NOBODY, INSTITUTION, *ORDER[:4]])
def test_each_operation_answers_as_described(caller: str, known: Known, signer: Signer) -> None:
    def first(label: str, operation: Operation) -> bool:
        others = ORDER[: ORDER.index(caller)] if caller in ORDER else ()
        return may(caller, label, operation) and not any(may(other, label, operation) for other in others)

    phases = {"coverage": {"enabled": False}, "stateful": {"enabled": False}}
    config = configuration(4, phases, **settings(caller, known))
    found = told(explore(URL, config, first, signer))
    assert not found, found


@pytest.mark.parametrize("fault", SPOILT)
def test_what_is_not_described_is_found(fault: str, world: World, signer: Signer) -> None:
    phases = {name: {"enabled": False} for name in ("examples", "coverage", "stateful")}
    config = configuration(1, phases, **{"base-url": URL})
    with served(lambda answer: {**answer, **SPOILT[fault]} if answer["body"].startswith('{"status"') else answer):
        found = list(explore(URL, config, lambda label, _: label == "GET /v1/health", signer))
    assert found


@pytest.mark.thorough
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("caller", CALLERS)
def test_every_operation_answers_as_described_to_each_role(caller: str, known: Known, signer: Signer) -> None:
    config = configuration(25, {"stateful": {"max-steps": 8}}, **settings(caller, known))
    found = told(explore(URL, config, partial(may, caller), signer))
    assert not found, found
