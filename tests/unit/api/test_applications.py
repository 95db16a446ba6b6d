"""Applying and following an application (C01, C16, DESIGN 8)."""

from __future__ import annotations

import pytest

from tests.support import wired
from tests.support.aws import table_name
from tests.unit.api.client import Api, ask_authorization, assess, firm_id, loan_request, new_key

pytestmark = pytest.mark.usefixtures("cloud")

NEVER_SHOWN = (firm_id(), "taxpayer", "tenant", "token", "execution")


def test_a_borrower_applies_and_reads_the_application():
    borrower = Api("borrower")
    answer = borrower.post("/v1/applications", loan_request(), key=new_key())
    view = answer.json()
    assert answer.status == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (view["status"], view["amount"], view["currency"], view["channel"]) == (
        "received", "300000.00", "CNY", "direct"
    )  # fmt: skip
    assert list(view) == [
        "application_id", "status", "outcome", "outcome_note", "outcome_note_code", "outcome_note_parameters",
        "created_at", "updated_at", "firm_name", "amount", "currency", "term_months", "purpose", "channel", "flow_id",
        "flow_version", "awaits",
        "authorization_problem", "score", "grade", "limit",
        "decision", "reasons", "model_version", "chosen",
    ]  # fmt: skip
    assert not [word for word in NEVER_SHOWN if word in answer.body]
    assert borrower.get(f"/v1/applications/{view['application_id']}").json() == view


def test_the_process_is_started_under_the_applications_id():
    application_id = Api("borrower").apply()
    assert wired.tasks().is_running(application_id)


def test_a_bank_applies_for_a_customer():
    bank = Api("bank")
    answer = bank.post("/v1/applications", loan_request(), key=new_key())
    assert answer.json()["channel"] == f"bank:{bank.tenant}"
    assert [one["application_id"] for one in bank.get("/v1/applications").json()["applications"]] == [
        answer.json()["application_id"]
    ]


def test_a_repeat_meets_the_first_application_and_costs_no_idempotency_record():
    borrower, key, before = Api("borrower"), new_key(), _records()
    first, again = (borrower.post("/v1/applications", loan_request(), key=key) for _ in range(2))
    assert (first.status, again.status) == (202, 202)
    assert first.json() == again.json()
    assert len(borrower.get("/v1/applications").json()["applications"]) == 1
    assert _records() == before


def test_a_repeat_with_another_body_is_refused():
    borrower, key = Api("borrower"), new_key()
    borrower.post("/v1/applications", loan_request(), key=key)
    answer = borrower.post("/v1/applications", loan_request(amount="300000.01"), key=key)
    assert (answer.status, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_the_same_key_of_another_tenant_is_another_application():
    key = new_key()
    one, other = (Api("borrower").post("/v1/applications", loan_request(), key=key).json() for _ in range(2))
    assert one["application_id"] != other["application_id"]


def test_listing_is_newest_first_and_limited():
    borrower = Api("borrower")
    ids = [borrower.apply(firm_name=f"Firm {number}") for number in range(3)]
    listed = borrower.get("/v1/applications", query={"limit": 2}).json()["applications"]
    assert len(listed) == 2
    assert {one["application_id"] for one in listed} <= set(ids)
    assert listed == sorted(listed, key=lambda one: one["created_at"], reverse=True)


def test_listing_by_status():
    borrower = Api("borrower")
    asked, untouched = borrower.apply(), borrower.apply(firm_name="Another firm")
    ask_authorization(asked)
    listed = borrower.get("/v1/applications", query={"status": "received"}).json()["applications"]
    assert [one["application_id"] for one in listed] == [untouched]


@pytest.mark.parametrize("role", ["manager", "risk_officer", "operator", "auditor"])
def test_staff_see_every_tenants_applications_by_status(role):
    application_id, staff = Api("borrower").apply(), Api(role, "platform")
    listed = staff.get("/v1/applications", query={"status": "received", "limit": 100}).json()["applications"]
    assert application_id in [one["application_id"] for one in listed]
    everything = staff.get("/v1/applications", query={"limit": 100}).json()["applications"]
    assert application_id in [one["application_id"] for one in everything]
    assert everything == sorted(everything, key=lambda one: one["updated_at"], reverse=True)


def test_the_timeline_tells_who_did_what():
    borrower = Api("borrower")
    application_id = borrower.apply()
    ask_authorization(application_id)
    timeline = borrower.get(f"/v1/applications/{application_id}/timeline").json()["timeline"]
    assert [(one["status"], one["by"], one["note"], one["note_code"], one["note_parameters"]) for one in timeline] == [
        ("received", "borrower", None, None, None),
        ("authorization_required", "platform", "none_stored", "authorization_needed", {"problem": "none_stored"}),
    ]


@pytest.mark.parametrize("path", ["", "/timeline", "/report", "/matches", "/contract", "/authorization-link"])
def test_another_tenants_application_looks_like_none(path):
    application_id = Api("borrower").apply()
    foreign = Api("borrower").get(f"/v1/applications/{application_id}{path}")
    absent = Api("borrower").get(f"/v1/applications/app_{'0' * 28}{path}")
    assert (foreign.status, absent.status) == (404, 404)
    assert foreign.json() | {"instance": ""} == absent.json() | {"instance": ""}


def test_the_report_as_json_and_as_a_page():
    borrower = Api("borrower")
    application_id = borrower.apply()
    assert borrower.get(f"/v1/applications/{application_id}/report").status == 404
    assess(application_id)
    view = borrower.get(f"/v1/applications/{application_id}").json()
    report = borrower.get(f"/v1/applications/{application_id}/report")
    known = Api("auditor", "platform").get(f"/v1/applications/{application_id}").json()
    assert (view["decision"], known["engine"], report.status) == ("approve", "python", 200)
    assert view.items() <= known.items()
    assert report.json()["referral"] is None
    assert report.json()["result"]["score"] == view["score"]
    assert int(view["limit"].replace(".", "")) == report.json()["result"]["limit_minor"]
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}
    page = borrower.get(f"/v1/applications/{application_id}/report", headers=browser)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-language"] == "zh-CN"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    english = borrower.get(f"/v1/applications/{application_id}/report", headers=browser, query={"language": "en"})
    assert english.headers["content-language"] == "en"
    assert english.body != page.body
    unknown = borrower.get(f"/v1/applications/{application_id}/report", query={"language": "fr"})
    assert (unknown.status, unknown.json()["errors"][0]["field"]) == (422, "language")


def test_withdrawing_ends_the_application_and_its_wait(answers):
    borrower = Api("borrower")
    application_id = borrower.apply()
    token = ask_authorization(application_id)
    answer = borrower.post(f"/v1/applications/{application_id}/withdrawal", {})
    assert (answer.status, answer.json()["status"], answer.json()["outcome"]) == (200, "closed", "withdrawn")
    assert answers.of(token) == ["SendTaskFailure"]
    again = borrower.post(f"/v1/applications/{application_id}/withdrawal", {})
    assert (again.status, again.json()["code"]) == (409, "application_closed")


def test_withdrawing_where_nothing_waits_for_the_borrower():
    borrower = Api("borrower")
    answer = borrower.post(f"/v1/applications/{borrower.apply()}/withdrawal", {})
    assert (answer.status, answer.json()["code"]) == (409, "not_awaited")


def test_withdrawing_twice_with_one_key_gives_the_first_answer_again():
    borrower, key = Api("borrower"), new_key()
    application_id = borrower.apply()
    ask_authorization(application_id)
    first, again = (borrower.post(f"/v1/applications/{application_id}/withdrawal", {}, key=key) for _ in range(2))
    assert (first.status, again.status) == (200, 200)
    assert (first.body, first.headers) == (again.body, again.headers)


def _records() -> int:
    return wired.client("dynamodb").scan(TableName=table_name("Idempotency"), Select="COUNT")["Count"]
