"""Loan flows through the API: list, versions, registration, approval, assignment (E01-E04)."""

from __future__ import annotations

from typing import Any

import pytest

from client import flows as shipped
from tests.support import wired
from tests.unit.api.client import Api, loan_request, new_key

pytestmark = pytest.mark.usefixtures("cloud")

TAX = next(one for one in shipped.documents() if one["flow_id"] == "tax")
MANAGER, OFFICER, AUDITOR = Api("manager", "platform"), Api("risk_officer", "platform"), Api("auditor", "platform")


@pytest.fixture(autouse=True)
def planned(cloud: None) -> None:
    plan = {"plan_id": "standard", "channels": [{"channel_id": "tax-bureau", "required": True}]}
    wired.channels()._plans.put("standard", plan, "test", None)


def flow(flow_id: str, **changes: Any) -> dict[str, Any]:
    return {**TAX, "flow_id": flow_id, **changes}


def in_force(flow_id: str) -> None:
    version = MANAGER.put(f"/v1/flows/{flow_id}", flow(flow_id)).json()["version"]
    assert OFFICER.post(f"/v1/flows/{flow_id}/versions/{version}/approval", {}, subject="o-1").status == 200


def flowless() -> tuple[Api, str]:
    """A borrower and an application that waits for a flow."""
    borrower = Api("borrower")
    application_id = borrower.apply(flow_id=None)
    wired.flow_assignments().ask(application_id, f"token-of-{application_id}")
    return borrower, application_id


def test_staff_read_the_flows_in_force() -> None:
    listed = AUDITOR.get("/v1/flows").json()["flows"]
    assert {"invoice", "tax", "trade-platform"} <= {one["flow_id"] for one in listed}
    one = AUDITOR.get("/v1/flows/tax")
    assert (one.headers["etag"], one.json()["document"]["collection_plan"]) == ('"1"', "standard")
    assert AUDITOR.get("/v1/flows/no-such-flow").status == 404
    assert Api("borrower").get("/v1/flows/tax").status == 403


def test_a_version_is_registered_and_approved_by_two_persons() -> None:
    put = MANAGER.put("/v1/flows/two-persons", flow("two-persons"), headers={"If-Match": "0"})
    assert (put.status, put.headers["etag"]) == (200, '"1"')
    assert put.json()["approved_by"] is None
    assert MANAGER.get("/v1/flows/two-persons").status == 404
    approval = "/v1/flows/two-persons/versions/1/approval"
    refused = MANAGER.post(approval, {})
    assert (refused.status, refused.json()["code"]) == (403, "four_eyes")
    approved = MANAGER.post(approval, {}, subject="u-2").json()
    assert (approved["written_by"], approved["approved_by"]) == ("u-1", "u-2")
    assert MANAGER.get("/v1/flows/two-persons").json() == approved
    assert MANAGER.get("/v1/flows/two-persons/versions/1").json() == approved
    assert [one["version"] for one in MANAGER.get("/v1/flows/two-persons/versions").json()["flows"]] == [1]


def test_what_contradicts_itself_is_named_and_not_stored() -> None:
    ranking = MANAGER.put("/v1/flows/bad", flow("bad", ranking={"cost": 50, "amount": 50, "speed": 50}))
    assert (ranking.status, ranking.json()["errors"][0]["code"]) == (422, "not_100_percent")
    plan = MANAGER.put("/v1/flows/bad", flow("bad", collection_plan="nobody"))
    assert [(one["field"], one["code"]) for one in plan.json()["errors"]] == [("collection_plan", "no_such_plan")]
    other = MANAGER.put("/v1/flows/bad", flow("good"))
    assert other.json()["errors"][0]["code"] == "not_as_in_path"
    assert MANAGER.get("/v1/flows/bad/versions").json()["flows"] == []


def test_a_concurrent_change_is_told() -> None:
    MANAGER.put("/v1/flows/contested", flow("contested"))
    late = MANAGER.put("/v1/flows/contested", flow("contested", documents=[
        "identity_card", "business_licence", "bank_card"]), headers={"If-Match": '"0"'})  # fmt: skip
    assert (late.status, late.json()["code"]) == (409, "version_conflict")


def test_a_request_names_its_flow() -> None:
    in_force("named")
    view = Api("borrower").post("/v1/applications", loan_request(flow_id="named"), key=new_key()).json()
    assert (view["flow_id"], view["flow_version"], view["awaits"]) == ("named", 1, None)


@pytest.mark.parametrize("path", ["/v1/applications", "/v1/guest/applications"])
def test_an_unknown_flow_is_a_clear_error(path: str) -> None:
    caller = Api("borrower") if "guest" not in path else Api()
    answer = caller.post(path, loan_request(flow_id="no-such-flow"), key=new_key())
    problem = answer.json()
    assert (answer.status, problem["code"], problem["errors"][0]["field"]) == (422, "flow_unknown", "flow_id")


def test_a_manager_finds_what_waits_and_assigns_a_flow() -> None:
    borrower, application_id = flowless()
    assert borrower.get(f"/v1/applications/{application_id}").json()["awaits"] == "flow"
    waiting = MANAGER.get("/v1/applications", query={"status": "flow_required"}).json()["applications"]
    assert application_id in [one["application_id"] for one in waiting]
    assigned = MANAGER.post(f"/v1/applications/{application_id}/flow", {"flow_id": "invoice"}).json()
    assert (assigned["flow_id"], assigned["flow_version"], assigned["status"]) == ("invoice", 1, "received")
    assert MANAGER.post(f"/v1/applications/{application_id}/flow", {"flow_id": "invoice"}).json() == assigned
    told = borrower.get(f"/v1/applications/{application_id}/timeline").json()["timeline"][-1]
    assert (told["by"], "note" in told, "subject" in told) == ("manager", False, False)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"flow_id": "no-such-flow"}, 422, "flow_unknown"),
        ({"flow_id": "tax", "version": 9}, 422, "invalid_input"),
        ({"flow_id": "tax", "version": 0}, 422, "invalid_input"),
        ({"flow_id": "TAX"}, 422, "invalid_input"),
        ({}, 422, "invalid_input"),
    ],
)
def test_a_bad_assignment_changes_nothing(body: dict[str, Any], status: int, code: str) -> None:
    borrower, application_id = flowless()
    answer = MANAGER.post(f"/v1/applications/{application_id}/flow", body)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert borrower.get(f"/v1/applications/{application_id}").json()["status"] == "flow_required"


def test_nobody_else_assigns() -> None:
    borrower, application_id = flowless()
    for caller in (borrower, AUDITOR, OFFICER, Api("operator", "platform")):
        assert caller.post(f"/v1/applications/{application_id}/flow", {"flow_id": "tax"}).status == 403
    with_one = borrower.apply()
    answer = MANAGER.post(f"/v1/applications/{with_one}/flow", {"flow_id": "invoice"})
    assert (answer.status, answer.json()["code"]) == (409, "not_awaited")
