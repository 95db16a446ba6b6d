"""The rules' workbench through the API: read, change, try, release by four eyes (M06)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from creditmesh.governance.model import WrongState
from creditmesh.risk.evaluator import evaluate
from tests.support import wired
from tests.support.decisions import FIRM, decide
from tests.support.world import NOW, World
from tests.unit.api.client import Answer, Api

MODEL = "/v1/models/origination"
OFFICER = Api("risk_officer", "platform")
TODAY = NOW.date()
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
pytestmark = pytest.mark.usefixtures("world")


def rule(name: str = "has_revenue", **changes: Any) -> dict[str, Any]:
    """A rule that declines the sample firm from tomorrow on."""
    return {
        "id": name, "stage": "admission", "when": {">": [{"var": "revenue_12m_minor"}, 0]}, "if_unknown": "pass",
        "outcome": "stop", "priority": 50, "aspect": "ability", "effective_from": TOMORROW.isoformat(),
        "effective_until": None, "reason_code": "HIGH_DEBT", "label": {"zh-CN": "有收入", "en": "Has revenue"},
        **changes,
    }  # fmt: skip


def change(**parts: Any) -> Answer:
    return OFFICER.post(f"{MODEL}/rule-changes", {"note": "why", **parts})


def proposed(**changes: Any) -> str:
    """The hash of the proposed version that has the rule."""
    answer = change(add=[rule(**changes)])
    assert answer.status == 201, answer.body
    return str(answer.json()["content_hash"])


def release(version: str) -> None:
    """Approved by another than its maker, put in force by two."""
    registry = wired.model_registry()
    registry.approve("origination", version, checker="checker")
    registry.propose_promotion("origination", version, maker="maker")
    registry.confirm_promotion("origination", version, checker="checker")


def rules_of(version: str | None = None) -> dict[str, Any]:
    answer = OFFICER.get(f"{MODEL}/rules", query={"version": version} if version else None)
    assert answer.status == 200, answer.body
    return dict(answer.json())


def test_the_catalogue_is_typed_and_says_who_uses_what() -> None:
    answer = OFFICER.get(f"{MODEL}/features")
    assert answer.status == 200
    (found,) = (one for one in answer.json()["features"] if one["name"] == "tax_arrears_minor")
    assert (found["type"], found["unit"], found["source"]) == ("integer", "minor", "third_party")
    assert found["used_by"]["rules"] == ["tax_arrears", "key_data_incomplete"]


def test_the_rules_read_as_sentences_with_matrix_and_hits() -> None:
    decide("a-1", YESTERDAY, tax_arrears_minor=900_000)
    decide("a-2", TODAY - timedelta(days=40), tax_arrears_minor=900_000)
    found = rules_of()
    (arrears,) = (one for one in found["rules"] if one["id"] == "tax_arrears")
    assert arrears["condition"] == {"en": "Tax arrears is above 1,000.00", "zh-CN": "欠税金额高于1,000.00"}
    assert arrears["hits"] == {"tried": 1, "fired": 1, "decided": 1}
    assert "tax_arrears" in found["matrix"]["third_party"]["willingness"]
    assert {"source": "merchant", "aspect": "ability"} in found["empty_cells"]
    assert (found["hits_from"], found["hits_until"]) == (str(TODAY - timedelta(days=29)), str(TOMORROW))


def test_hits_are_told_by_day_and_version() -> None:
    decide("a-1", YESTERDAY, tax_arrears_minor=900_000)
    answer = OFFICER.get(f"{MODEL}/rule-statistics", query={"from": str(YESTERDAY), "until": str(TODAY)})
    (day,) = answer.json()["days"]
    assert (day["day"], day["rules"]["tax_arrears"]) == (str(YESTERDAY), {"tried": 1, "fired": 1, "decided": 1})
    wrong = OFFICER.get(f"{MODEL}/rule-statistics", query={"from": str(TODAY), "until": str(YESTERDAY)})
    assert (wrong.status, wrong.json()["errors"][0]["field"]) == (422, "until")


def test_a_rule_of_tomorrow_changes_nothing_today(world: World) -> None:
    version = proposed()
    assert wired.champions()["origination"]().version == "2.1.0"
    (shown,) = (one for one in rules_of(version)["rules"] if one["id"] == "has_revenue")
    assert (shown["in_force"], shown["effective_from"]) == (False, str(TOMORROW))
    release(version)
    world.clock.advance(120)  # the function looks for a new champion now and then
    world.to_collected()
    wired.assessment().score_in_process(world.application_id)
    today = wired.assessment().decide(world.application_id)
    assert (today.decision, today.model_version) == ("approve", "2.2.0")
    world.clock.advance(86_400)
    artefact = wired.champions()["origination"]()
    assert evaluate(artefact, FIRM, TODAY).decision == "approve"
    assert evaluate(artefact, FIRM, world.clock.now().date()).fired_rules == ("has_revenue",)


def test_a_rule_is_in_force_when_its_day_begins_where_the_platform_lends(world: World) -> None:
    version = proposed()
    world.clock.zone = ZoneInfo("Asia/Shanghai")
    for seconds, in_force in ((8 * 3_600 - 1, False), (1, True)):  # it was 08:00 UTC; at 16:00 China's day begins
        world.clock.advance(seconds)
        (shown,) = (one for one in rules_of(version)["rules"] if one["id"] == "has_revenue")
        assert shown["in_force"] is in_force


def test_the_day_that_a_rule_begins_it_declines(world: World) -> None:
    release(proposed())
    world.clock.advance(86_400)
    world.to_collected()
    wired.assessment().score_in_process(world.application_id)
    summary = wired.assessment().decide(world.application_id)
    assert (summary.decision, summary.stage, summary.reasons) == ("decline", "admission", ["HIGH_DEBT"])


def test_a_change_never_touches_the_rules_in_force() -> None:
    before = rules_of()
    proposed(when={">": [{"var": "revenue_12m_minor"}, 10**14]}, effective_from=None)
    assert rules_of() == before
    assert "has_revenue" not in {one["id"] for one in before["rules"]}


def test_a_change_made_for_an_earlier_champion_is_not_put_in_force() -> None:
    first, second = proposed(), proposed(name="another")
    release(first)
    with pytest.raises(WrongState, match="another champion"):
        release(second)
    again = proposed(name="another")
    assert again != second
    release(again)
    assert {"has_revenue", "another"} <= {one["id"] for one in rules_of()["rules"]}


def test_a_broken_rule_is_refused_by_path_and_rule() -> None:
    answer = change(add=[rule(when={">": [{"var": "tax_credit_rating"}, "B"]})])
    assert answer.status == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], error["rule"], error["code"]) == (
        "add[0].when.>", "rule has_revenue: must order integers only", "model_invalid"
    )  # fmt: skip


def test_a_failing_test_is_told_with_what_it_expected_and_got() -> None:
    case = {"name": "still lent to", "on": str(TOMORROW), "features": FIRM, "expect": {"decision": "approve"}}
    answer = change(add=[rule()], tests=[case])
    assert answer.status == 422
    assert answer.json()["errors"] == [
        {
            "field": "tests[0].expect.decision",
            "rule": 'test still lent to: expected "approve", got "decline"',
            "code": "test_failed",
            "parameters": {"test": "still lent to", "expected": '"approve"', "got": '"decline"'},
        }  # fmt: skip
    ]
    assert len(wired.model_registry().list("origination")) == 1


def test_a_dry_run_proposes_nothing() -> None:
    answer = change(add=[rule()], dry_run=True)
    assert (answer.status, answer.json()["state"]) == (201, None)
    assert len(wired.model_registry().list("origination")) == 1


def test_a_proposed_version_is_tried_on_past_decisions() -> None:
    decide("a-1", YESTERDAY)
    decide("a-2", YESTERDAY, blacklist_hits=1)
    path = f"{MODEL}/versions/{proposed()}/simulations"
    begun = OFFICER.post(path, {"from": str(YESTERDAY), "until": str(TODAY), "on": str(TOMORROW)})
    assert begun.status == 201, begun.body
    found = begun.json()
    assert (found["state"], found["scored"], found["from"]) == ("done", 2, str(YESTERDAY))
    assert found["changes"] == {"approve/decline": ["a-1"]}
    assert found["rules"]["has_revenue"] == {"champion": None, "candidate": {"tried": 1, "fired": 1, "decided": 1}}
    one = f"{path}/{found['simulation_id']}"
    assert OFFICER.get(one).json() == found
    assert OFFICER.post(f"{one}/run", {}).json() == found
    (listed,) = OFFICER.get(path).json()["simulations"]
    assert (listed["simulation_id"], listed["changes"]) == (found["simulation_id"], {"approve/decline": 1})


def test_what_does_not_exist_is_not_found() -> None:
    unknown = "sha256:" + "0" * 64
    for path in ("/v1/models/other/features", "/v1/models/other/rules", "/v1/models/other/rule-statistics",
                 f"{MODEL}/versions/{unknown}/simulations",
                 f"{MODEL}/versions/{unknown}/simulations/sim_1"):  # fmt: skip
        assert OFFICER.get(path).status == 404, path
    assert OFFICER.get(f"{MODEL}/rules", query={"version": unknown}).status == 404
    body = {"from": str(YESTERDAY), "until": str(TODAY)}
    assert OFFICER.post(f"{MODEL}/versions/{unknown}/simulations", body).status == 404
    assert OFFICER.post("/v1/models/other/rule-changes", {"note": "why", "remove": ["tax_rating_d"]}).status == 404


def test_only_staff_reads_and_only_risk_officers_change() -> None:
    for role in ("borrower", "lender", "bank"):
        assert Api(role).get(f"{MODEL}/rules").status == 403
    for role in ("manager", "operator", "auditor", "lender"):
        caller = Api(role, "platform")
        assert caller.post(f"{MODEL}/rule-changes", {"note": "why", "remove": ["tax_rating_d"]}).status == 403
    assert Api("auditor", "platform").get(f"{MODEL}/features").status == 200
