"""The rules' workbench on a running platform: a change is proposed, tried on what was decided, and decides nothing."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from client import Api, ProblemError
from institutions.config import today as business_date
from run import many
from tests.integration.conftest import Target

MODEL = "/v1/models/origination"
CASES = iter(many.cases(4, skip=236))


def stop_for_all(first_day: str) -> dict[str, Any]:
    """A rule that declines every firm from a day on."""
    return {
        "id": f"closed_{uuid.uuid4().hex[:8]}", "stage": "admission", "outcome": "stop", "priority": 900,
        "aspect": "ability", "when": {">": [{"var": "requested_amount_minor"}, 0]}, "if_unknown": "fire",
        "effective_from": first_day, "effective_until": None, "reason_code": "HIGH_DEBT",
        "label": {"zh-CN": "暂停放款", "en": "Lending is closed"},
    }  # fmt: skip


@pytest.mark.timeout(300)
def test_a_change_is_tried_on_what_was_decided_and_touches_nothing(target: Target) -> None:
    officer: Api = target.api("risk_officer", "platform")
    today = business_date()  # by which decisions are counted
    tomorrow, yesterday = (today + timedelta(days=offset) for offset in (1, -1))
    case = next(CASES)
    journey = target.borrower(case).live_through(uuid.uuid4().hex)
    application_id = journey.application.application_id
    decided = officer.report(application_id)["result"]
    before = officer.call("GET", f"{MODEL}/rules")

    rule = stop_for_all(tomorrow.isoformat())
    proposed = officer.call("POST", f"{MODEL}/rule-changes", {"add": [rule], "note": "the year ends"})
    assert (proposed["state"], proposed["added"]) == ("proposed", [rule["id"]])
    assert all(test["passed"] for test in proposed["tests"])

    days = {"from": yesterday.isoformat(), "until": tomorrow.isoformat(), "on": tomorrow.isoformat()}
    path = f"{MODEL}/versions/{proposed['content_hash']}/simulations"
    found = officer.call("POST", path, days)
    while found["state"] == "running":
        found = officer.call("POST", f"{path}/{found['simulation_id']}/run", {})
    swapped = {one for kind, ids in found["changes"].items() if kind.endswith("/decline") for one in ids}
    assert (application_id in swapped) == (decided["decision"] != "decline")
    assert found["candidate"]["decisions"] == {"decline": found["scored"]}
    assert found["not_reproduced"] == []
    fired = found["rules"][rule["id"]]
    assert (fired["champion"], fired["candidate"]["fired"]) == (None, fired["candidate"]["tried"])

    counted = officer.call("GET", f"{MODEL}/rule-statistics?from={today}&until={tomorrow}")
    assert counted["decisions"] >= 1
    for name in decided["fired_rules"]:
        assert counted["rules"][name]["fired"] >= 1
    after = officer.call("GET", f"{MODEL}/rules")
    assert [one["id"] for one in after["rules"]] == [one["id"] for one in before["rules"]]
    assert after["content_hash"] == before["content_hash"]


def test_a_broken_rule_is_refused_by_its_place(target: Target) -> None:
    broken = {**stop_for_all("2026-12-01"), "when": {">": [{"var": "industry"}, 0]}}
    with pytest.raises(ProblemError) as caught:
        target.api("risk_officer", "platform").call("POST", f"{MODEL}/rule-changes", {"add": [broken], "note": "x"})
    assert caught.value.status == 422
    assert "add[0].when.>" in str(caught.value)
