"""Who may call what: every route by every role, as the interface's page says (S17)."""

from __future__ import annotations

import re

import pytest

from api.app import app
from api.openapi import operations_of
from creditmesh.kernel.caller import STAFF, Role
from tests.unit.api.client import ROOT, Api, new_key

PAGE = (ROOT / "docs/reference/api.md").read_text()
TOLD = {
    (method, path): roles
    for method, path, roles in re.findall(r"^\| `(\w+) (/v1[^ `?]+)[^`]*`[^|]*\| ([^|]+) \|", PAGE, re.M)
}
OPERATIONS = {(one.method, one.path): one for one in operations_of(app)}
WORDS = {"all": frozenset(Role), "staff": STAFF} | {role.value: frozenset({role}) for role in Role}


def told(method: str, path: str) -> frozenset[Role] | None:
    """The roles that the page names; None: nobody needs one."""
    text = TOLD[method, path]
    if text == "none":
        return None
    named, _, but = text.partition(" but ")
    return frozenset().union(*(WORDS[one] for one in named.split(", "))) - WORDS.get(but, frozenset())


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_route_is_for_the_roles_that_the_page_names(method: str, path: str) -> None:
    assert OPERATIONS[method, path].roles == told(method, path)


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.usefixtures("cloud")
def test_a_route_refuses_every_other_role(role: Role | None) -> None:
    caller = Api(role, "elsewhere") if role else Api()
    for (method, path), operation in OPERATIONS.items():
        if operation.roles is None:
            continue
        place = re.sub(r"{\w+}", "none", path)
        answer = caller.call(method, place, {} if method in ("POST", "PUT") else None, key=new_key(), resource=path)
        refused = (answer.status, answer.json()["code"]) if answer.status >= 400 else None
        if role is None:
            assert refused == (401, "unauthenticated"), place
        else:
            assert (refused == (403, "forbidden")) == (role not in operation.roles), (place, answer.body)


def test_an_auditor_reads_all_and_changes_nothing() -> None:
    looks_up = {("POST", "/v1/lists/screenings"), ("POST", "/v1/channel-dry-runs")}
    begins_a_login = ("GET", "/v1/applications/{application_id}/authorization-link")
    mine = {key for key, one in OPERATIONS.items() if one.roles and Role.AUDITOR in one.roles}
    reads = {key for key, one in OPERATIONS.items() if one.roles and one.method == "GET"}
    assert mine == (reads | looks_up) - {begins_a_login}


def test_no_person_both_keeps_processes_and_decides() -> None:
    """Risk officers and operators share what changes nothing, and the tasks, which are for one of them by kind."""
    shared = {
        key for key, one in OPERATIONS.items() if one.roles and one.roles >= {Role.RISK_OFFICER, Role.OPERATOR}
        and key[0] != "GET"
    }  # fmt: skip
    assert shared == {
        ("POST", "/v1/lists/screenings"), ("POST", "/v1/channel-dry-runs"),
        ("POST", "/v1/operator-tasks/{task_id}/resolution"),
    }  # fmt: skip
