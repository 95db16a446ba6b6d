"""The operators' queue and the blacklist (C12, C24)."""

from __future__ import annotations

import pytest

from creditmesh.screening.model import Kind, Subject
from tests.support import wired
from tests.support.aws import table_name
from tests.unit.api.client import Api, assess, firm_id, new_key

pytestmark = pytest.mark.usefixtures("cloud")

OPERATOR, OFFICER = Api("operator", "platform"), Api("risk_officer", "platform")


@pytest.fixture
def task():
    """An application before the operators: (borrower, application id, task)."""
    borrower = Api("borrower")
    application_id = borrower.apply()
    wired.operators().hand_over(application_id, f"operator-{application_id}", "CollectData", "SourceUnavailable")
    found = [one for one in _tasks() if one["application_id"] == application_id]
    return borrower, application_id, found[0]


def _tasks():
    return OPERATOR.get("/v1/operator-tasks", query={"limit": 100}).json()["tasks"]


def test_staff_list_open_tasks_oldest_first(task):
    tasks = _tasks()
    assert task[2] in tasks
    assert tasks == sorted(tasks, key=lambda one: one["created_at"])
    for role in ("manager", "risk_officer", "auditor"):
        assert Api(role, "platform").get("/v1/operator-tasks").status == 200
    assert len(OPERATOR.get("/v1/operator-tasks", query={"limit": 1}).json()["tasks"]) == 1


def test_retrying(task, answers):
    borrower, application_id, found = task
    assert borrower.get(f"/v1/applications/{application_id}").json()["awaits"] == "operator"
    path = f"/v1/operator-tasks/{found['task_id']}/resolution"
    answer = OPERATOR.post(path, {"action": "retry", "note": "the bureau is back"})
    assert (answer.status, answer.json()["action"], answer.json()["queue"]) == (200, "retry", "resolved")
    assert answers.of(f"operator-{application_id}") == ["SendTaskSuccess"]
    assert found["task_id"] not in [one["task_id"] for one in _tasks()]
    other = OPERATOR.post(path, {"action": "close", "note": "no, end it"})
    assert (other.status, other.json()["code"]) == (409, "not_awaited")


def test_closing_ends_the_application(task):
    borrower, application_id, found = task
    path, word, key = (
        f"/v1/operator-tasks/{found['task_id']}/resolution",
        {"action": "close", "note": "gone"},
        new_key(),
    )
    first, again = (OPERATOR.post(path, word, key=key) for _ in range(2))
    assert (first.status, again.body) == (200, first.body)
    assert borrower.get(f"/v1/applications/{application_id}").json()["outcome"] == "closed_by_operator"


@pytest.mark.parametrize(("action", "outcome"), [("approve", None), ("decline", "declined_referral")])
def test_deciding_on_a_referral(answers, action, outcome):
    borrower = Api("borrower")
    application_id = borrower.apply()
    assess(application_id, "refer", greylist_hits=1)
    report = f"/v1/applications/{application_id}/report"
    assert set(borrower.get(report).json()["referral"].values()) == {None}
    wired.operators().hand_over(application_id, f"referral-{application_id}", "Referral", "GREYLISTED")
    task_id = next(one["task_id"] for one in _tasks() if one["application_id"] == application_id)
    path = f"/v1/operator-tasks/{task_id}/resolution"
    assert OPERATOR.post(path, {"action": action, "note": "mine"}).json()["code"] == "forbidden"
    refused = OFFICER.post(path, {"action": "retry", "note": "again"})
    assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "action")
    answer = OFFICER.post(path, {"action": action, "note": "spoke with the owner"})
    assert (answer.status, answer.json()["action"]) == (200, action)
    assert answers.of(f"referral-{application_id}") == ["SendTaskSuccess"]
    assert borrower.get(f"/v1/applications/{application_id}").json()["outcome"] == outcome
    seen, known = (one.get(report).json()["referral"] for one in (borrower, Api("auditor", "platform")))
    assert (set(seen), seen["decision"], seen["role"]) == ({"decision", "decided_at", "role"}, action, "risk_officer")
    assert known == seen | {"subject": "u-1", "note": "spoke with the owner"}
    page = borrower.get(report, headers={"Accept": "text/html"})
    assert (page.status, "u-1" in page.body, "spoke with the owner" in page.body) == (200, False, False)


def test_what_decides_a_referral_decides_nothing_else(task):
    path = f"/v1/operator-tasks/{task[2]['task_id']}/resolution"
    answer = OPERATOR.post(path, {"action": "approve", "note": "looks fine"})
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "action")


@pytest.mark.parametrize(("changed", "field"), [({"action": "shrug"}, "action"), ({"note": ""}, "note")])
def test_a_bad_resolution_is_named(task, changed, field):
    answer = OPERATOR.post(
        f"/v1/operator-tasks/{task[2]['task_id']}/resolution", {"action": "retry", "note": "again"} | changed
    )
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field)


def test_an_unknown_task():
    assert OPERATOR.post("/v1/operator-tasks/none/resolution", {"action": "retry", "note": "again"}).status == 404


def hits_of(taxpayer_id: str) -> int:
    found = wired.lists().screen([Subject(kind=Kind.TAXPAYER_ID, value=taxpayer_id)])
    return found.features["blacklist_hits"]


def test_entering_the_blacklist():
    entry = {"taxpayer_id": firm_id(5).lower(), "source": "court", "reason": "enforcement 2026-17"}
    answer = OFFICER.put("/v1/blacklist", entry)
    assert (answer.status, answer.body) == (204, "")
    assert hits_of(firm_id(5)) == 1
    OFFICER.put("/v1/blacklist", entry | {"reason": "still"})
    assert hits_of(firm_id(5)) == 1
    assert firm_id(5) not in str(wired.client("dynamodb").scan(TableName=table_name("ListEntries"))["Items"])


@pytest.mark.parametrize(("until", "hits"), [("2099-01-01T00:00:00+08:00", 1), ("2020-01-01T00:00:00Z", 0)])
def test_an_entry_holds_until_its_end(until, hits):
    entry = {"taxpayer_id": firm_id(60 + hits), "source": "court", "reason": "term", "valid_until": until}
    assert OFFICER.put("/v1/blacklist", entry).status == 204
    assert hits_of(firm_id(60 + hits)) == hits


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"taxpayer_id": "123"}, "taxpayer_id"),
        ({"valid_until": "2030-01-01"}, "valid_until"),
        ({"source": "x" * 81}, "source"),
    ],
)
def test_a_bad_entry_is_named(changed, field):
    entry = {"taxpayer_id": firm_id(6), "source": "court", "reason": "enforcement"} | changed
    answer = OFFICER.put("/v1/blacklist", entry)
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field)
