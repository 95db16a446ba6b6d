"""Schemathesis over the served OpenAPI document: no server error, nothing that the document does not describe (S20).

`make test` tries each operation once, as one role; `make test-fuzz` every operation as each of its roles, at length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from creditmesh.kernel.caller import Role
from tests.fuzz.runner import Operation, configuration, explore, told
from tests.fuzz.scenario import URL, Known, inhabited, served
from tests.support.world import World

NOBODY, INSTITUTION = "nobody", "institution"
CALLERS = (NOBODY, INSTITUTION, *(role.value for role in Role))
# Who tries an operation in `make test`: the first that may.
ORDER = ("borrower", "lender", "risk_officer", "operator", "manager", "auditor", "bank")
SHARE = 0.7


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
    with served(world):
        yield found


def may(caller: str, label: str, operation: Operation) -> bool:
    """Whether an operation is this caller's."""
    if label.startswith("POST /webhooks/"):
        return caller == INSTITUTION
    return caller in operation["x-roles"] if operation["security"] else caller == NOBODY


def settings(caller: str, known: Known) -> dict[str, Any]:
    token = {"headers": {"Authorization": f"Bearer {caller}"}} if caller in ORDER else {}
    return {"base-url": URL, **token, **known.settings(SHARE)}


@pytest.mark.parametrize("caller", [NOBODY, INSTITUTION, *ORDER[:4]])
def test_each_operation_answers_as_described(caller: str, known: Known) -> None:
    def first(label: str, operation: Operation) -> bool:
        others = ORDER[: ORDER.index(caller)] if caller in ORDER else ()
        return may(caller, label, operation) and not any(may(other, label, operation) for other in others)

    phases = {"coverage": {"enabled": False}, "stateful": {"enabled": False}}
    config = configuration(4, phases, **settings(caller, known))
    found = told(explore(URL, config, first))
    assert not found, found


@pytest.mark.parametrize("fault", SPOILT)
def test_what_is_not_described_is_found(fault: str, world: World) -> None:
    phases = {name: {"enabled": False} for name in ("examples", "coverage", "stateful")}
    with served(
        world, lambda answer: {**answer, **SPOILT[fault]} if answer["body"].startswith('{"status"') else answer
    ):
        found = list(
            explore(URL, configuration(1, phases, **{"base-url": URL}), lambda label, _: label == "GET /v1/health")
        )
    assert found


@pytest.mark.thorough
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("caller", CALLERS)
def test_every_operation_answers_as_described_to_each_role(caller: str, known: Known) -> None:
    config = configuration(25, {"stateful": {"max-steps": 8}}, **settings(caller, known))
    found = told(explore(URL, config, lambda label, one: may(caller, label, one)))
    assert not found, found
