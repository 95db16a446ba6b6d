"""Scoring requests, the fallback, the report and the decision (C11-C16)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from creditmesh.decisions.service import ScoringFailed
from creditmesh.decisions.serving.heartbeat import BELIEVED_SECONDS
from creditmesh.decisions.serving.queue import packed, rules_day, unpacked
from creditmesh.intake.model import ApplicationClosed, NotAwaited, Outcome, RiskSummary
from creditmesh.intake.operators import REFERRAL, REFERRAL_ACTIONS
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.paging import Window
from creditmesh.platform.tables import Put
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.report import render_html
from creditmesh.risk.report_words import WORDS
from creditmesh.risk.result import Stage
from decisions import write_report
from tests.support import wired
from tests.support.aws import table_name
from tests.support.functions import invoke
from tests.support.world import BORROWER, FIRM, NOW, OFFICER, OPERATOR, World
from tests.unit.api.client import Context


def scored_by_spark(world: World, state: str = "done", **changes: object) -> dict[str, object]:
    """What the resident job leaves in the table, had it been asked with some features changed."""
    (item,) = world.items("ScoringRequests")
    features = {**json.loads(unpacked(item["features"])), **changes}
    result = evaluate(wired.champions()["origination"](), features, rules_day(item["rules_of"])).to_dict()
    texts = {"features": packed(json.dumps(features)), "result": packed(json.dumps(result))}
    item |= {"state": state, "engine": "spark", **texts}
    item.pop("queue")
    wired.tables().write(Put(table_name("ScoringRequests"), item, "request_id", replace=True))
    return item


def test_a_request_is_put_before_spark(world: World) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    (item,) = world.items("ScoringRequests")
    assert (item["state"], item["task_token"], item["attempts"]) == ("open", "t-1", 0)
    assert item["queue"] in {f"open#{shard}" for shard in range(4)}
    assert json.loads(unpacked(item["features"]))["requested_amount_minor"] == 10_000_000
    assert FIRM.taxpayer_id not in str(item)


def test_without_a_job_it_is_scored_at_once_and_the_process_goes_on(world: World) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: False)
    (item,) = world.items("ScoringRequests")
    assert (item["state"], item["engine"], "queue" in item) == ("done", "python", False)
    assert world.steps.succeeded == {"t-1": {}}
    assert wired.assessment().decide(world.application_id).engine == "python"


def test_what_spark_did_not_answer_before_it_ended_is_scored_at_once(world: World) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    wired.assessment().request(world.application_id, "t-2", lambda: False)
    assert world.steps.succeeded == {"t-2": {}}


def test_the_step_asks_for_the_engine_that_is_configured(world: World) -> None:
    """With a job that says that it is ready, and without."""
    world.to_collected()
    world.spark_ready()
    asked = {"application_id": world.application_id, "task_token": "t-1"}
    invoke("RequestScoringFunction", asked, world.stack.environment_of("RequestScoringFunction"))
    assert world.steps.succeeded == {}
    world.clock.advance(BELIEVED_SECONDS + 1)
    invoke("RequestScoringFunction", {**asked, "task_token": "t-2"})
    assert world.steps.succeeded == {"t-2": {}}


def test_sparks_answer_reaches_the_process(world: World) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    wired.assessment().complete(scored_by_spark(world))
    assert world.steps.succeeded == {"t-1": {"engine": "spark"}}
    summary = wired.assessment().decide(world.application_id)
    assert (summary.engine, summary.decision) == ("spark", "approve")


def test_a_request_spark_could_not_score_fails_its_task(world: World) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    wired.assessment().complete(scored_by_spark(world, "failed"))
    assert world.steps.failed == {"t-1": "ScoringFailed"}


def test_the_step_run_again_asks_with_the_newest_token(world: World) -> None:
    world.to_collected()
    for token in ("t-1", "t-2"):
        wired.assessment().request(world.application_id, token, lambda: True)
    wired.assessment().complete(scored_by_spark(world))
    assert world.steps.succeeded == {"t-2": {"engine": "spark"}}


def test_the_step_run_again_after_the_score_goes_on(world: World) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    scored_by_spark(world)
    wired.assessment().request(world.application_id, "t-2", lambda: True)
    assert world.steps.succeeded == {"t-2": {}}
    wired.assessment().decide(world.application_id)
    wired.assessment().request(world.application_id, "t-3", lambda: True)
    assert "t-3" in world.steps.succeeded


def test_the_fallback_scores_a_request_nobody_answered(world: World) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    wired.assessment().score_in_process(world.application_id)
    (item,) = world.items("ScoringRequests")
    assert (item["state"], item["engine"], "queue" in item) == ("done", "python", False)
    assert wired.assessment().decide(world.application_id).engine == "python"


@pytest.mark.parametrize("state", ["claimed", "failed"])
def test_the_fallback_scores_what_spark_has_begun_or_could_not_score(world: World, state: str) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    scored_by_spark(world, state)
    wired.assessment().score_in_process(world.application_id)
    (item,) = world.items("ScoringRequests")
    assert (item["state"], item["engine"]) == ("done", "python")


def test_a_closed_application_is_not_scored(world: World) -> None:
    world.to_collected()
    world.end(Outcome.WITHDRAWN)
    with pytest.raises(ApplicationClosed):
        wired.assessment().score_in_process(world.application_id)
    assert world.items("ScoringRequests") == []


def test_the_fallback_scores_even_what_never_reached_the_table(world: World) -> None:
    world.to_collected()
    wired.assessment().score_in_process(world.application_id)
    wired.assessment().score_in_process(world.application_id)
    assert wired.assessment().decide(world.application_id).decision == "approve"


def test_sparks_late_answer_is_kept_over_the_fallbacks(world: World) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    scored_by_spark(world)
    wired.assessment().score_in_process(world.application_id)
    assert wired.assessment().decide(world.application_id).engine == "spark"


def test_decision_and_report_agree_and_a_repeat_changes_nothing(world: World) -> None:
    world.to_assessed()
    application = world.application()
    report = wired.assessment().report(application)
    risk = application.risk
    assert risk is not None
    assert application.status == "assessed"
    assert report["result"]["score"] == risk.score
    assert report["result"]["model_version"] == risk.model_version == "2.1.0"
    assert all("raw_key" not in source for source in report["sources"])
    world.clock.advance(60)
    assert wired.assessment().decide(world.application_id) == risk
    assert world.application() == application
    assert FIRM.taxpayer_id not in json.dumps(report)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_report_as_a_page(world: World, language: str) -> None:
    world.to_assessed()
    page = render_html(wired.assessment().report_with_referral(world.application()), language)
    assert "<html" in page
    assert FIRM.name in page


def test_a_blacklisted_firm_is_declined_for_good(world: World) -> None:
    world.blacklist()
    world.to_assessed()
    application = world.application()
    assert (application.status, application.outcome) == ("closed", Outcome.DECLINED_BLACKLIST)
    assert application.report_key is not None
    assert application.risk is not None
    assert application.risk.decision == "decline"
    assert application.risk.reasons
    with pytest.raises(ApplicationClosed):
        wired.assessment().request(world.application_id, "t-9", lambda: True)


def referred(world: World, **changes: object) -> RiskSummary:
    """The decision on a firm with features that put it before a person."""
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    scored_by_spark(world, **(changes or {"greylist_hits": 1}))
    return wired.assessment().decide(world.application_id)


def test_a_referred_firm_stays_open_with_a_proposal(world: World) -> None:
    summary = referred(world)
    application = world.application()
    assert (summary.decision, summary.stage, summary.reasons) == ("refer", "referred", ["GREYLISTED"])
    assert (application.status, application.outcome, application.risk) == ("assessed", None, summary)
    assert summary.limit_minor is not None
    report = wired.assessment().report(application)
    assert [rule["id"] for rule in report["fired_rules"]] == ["greylisted"]
    assert report["price"]["annual_rate_bps"] == report["result"]["annual_rate_bps"]


def test_the_handler_tells_the_process_what_to_ask_a_person(world: World) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    scored_by_spark(world, greylist_hits=1, enforcement_open_count=1)
    said = write_report.handler({"application_id": world.application_id}, Context())
    assert said == {"decision": "refer", "stage": "referred", "reasons": "GREYLISTED, ENFORCEMENT_OPEN"}


@pytest.mark.parametrize(("action", "outcome"), [("approve", None), ("decline", Outcome.DECLINED_REFERRAL)])
def test_a_person_decides_on_a_referred_firm(world: World, action: str, outcome: Outcome | None) -> None:
    referred(world)
    wired.operators().hand_over(world.application_id, "t-2", REFERRAL, "GREYLISTED")
    (task,) = wired.operators().list(OPERATOR, Window(10)).items
    assert (task.stage, task.reason) == (REFERRAL, "GREYLISTED")
    wired.operators().resolve(OFFICER, task.task_id, action, "spoke with the owner")
    assert world.steps.succeeded["t-2"] == {"action": action}
    assert world.application().outcome == outcome
    if outcome is None:
        world.push()
        wired.offers().offer(world.application_id, "t-3")
        assert [offer.product_id for offer in wired.offers().of(BORROWER, world.application_id)[1]] == ["p-1"]


def decide_referral(world: World, action: str, note: str = "spoke with <the owner>") -> None:
    wired.operators().hand_over(world.application_id, "t-2", REFERRAL, "GREYLISTED")
    (task,) = wired.operators().list(OPERATOR, Window(10)).items
    wired.operators().resolve(OFFICER, task.task_id, action, note)


@pytest.mark.parametrize("action", REFERRAL_ACTIONS)
def test_the_report_tells_what_a_person_decided(world: World, action: str) -> None:
    referred(world)
    stored = wired.assessment().report(world.application())
    world.clock.advance(3_600)
    decide_referral(world, action)
    report = wired.assessment().report_with_referral(world.application())
    assert report["referral"] == {
        "decision": action, "decided_at": "2026-11-21T09:00:00.000Z", "role": "risk_officer",
        "subject": "officer-1", "note": "spoke with <the owner>",
    }  # fmt: skip
    assert report == {**stored, "referral": report["referral"]}
    assert stored == wired.assessment().report(world.application()), "what was stored stays as it was"
    for language in ("en", "zh-CN"):
        page = render_html(report, language)
        assert WORDS[language][f"referral_{action}"] in page
        assert "2026-11-21T09:00:00.000Z" in page
        assert "officer-1" in page
        assert "spoke with &lt;the owner&gt;" in page


def test_the_report_of_a_referral_that_nobody_decided_says_so(world: World) -> None:
    referred(world)
    wired.operators().hand_over(world.application_id, "t-2", REFERRAL, "GREYLISTED")
    for _ in range(2):
        report = wired.assessment().report_with_referral(world.application())
        assert set(report["referral"].values()) == {None}
        assert WORDS["en"]["referral_open"] in render_html(report, "en")
        if world.application().status != "closed":
            world.end(Outcome.CLOSED_BY_OPERATOR)
    (task,) = wired.operators().list(OPERATOR, Window(10)).items
    assert wired.operators().resolve(OFFICER, task.task_id, "approve", "too late").action == "approve"
    assert wired.assessment().report_with_referral(world.application()) == report, "the word came after the end"


def test_the_report_of_a_firm_that_nobody_referred_tells_of_no_person(world: World) -> None:
    world.to_assessed()
    wired.operators().hand_over(world.application_id, "t-2", "OfferProducts", "ThrottlingException")
    (task,) = wired.operators().list(OPERATOR, Window(10)).items
    wired.operators().resolve(OPERATOR, task.task_id, "retry", "again")
    report = wired.assessment().report_with_referral(world.application())
    assert report["referral"] is None
    assert WORDS["en"]["referral"] not in render_html(report, "en")


def test_only_the_first_word_on_a_referral_stands_in_the_report(world: World) -> None:
    referred(world)
    decide_referral(world, "approve", "fine")
    world.clock.advance(60)
    with pytest.raises(NotAwaited):
        wired.operators().resolve(OFFICER, world.items("OperatorTasks")[0]["task_id"], "decline", "or not")
    report = wired.assessment().report_with_referral(world.application())
    assert (report["referral"]["decision"], report["referral"]["note"]) == ("approve", "fine")


OUTCOMES = {
    "blacklist": Outcome.DECLINED_BLACKLIST, "admission": Outcome.DECLINED_ADMISSION, "score": Outcome.DECLINED_SCORE,
    "price": Outcome.DECLINED_PRICE, "index": Outcome.DECLINED_RISK_INDEX, "limit": Outcome.DECLINED_LIMIT,
}  # fmt: skip


@pytest.mark.parametrize("stage", sorted(set(get_args(Stage)) - {"referred", "approved"}))
def test_every_stage_that_declines_has_its_outcome(world: World, stage: str) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    item = scored_by_spark(world)
    result = {**json.loads(unpacked(str(item["result"]))), "decision": "decline", "stage": stage, "limit_minor": None}
    item["result"] = packed(json.dumps(result))
    wired.tables().write(Put(table_name("ScoringRequests"), item, "request_id", replace=True))
    assert wired.assessment().decide(world.application_id).decision == "decline"
    assert (world.application().status, world.application().outcome) == ("closed", OUTCOMES[stage])


def test_a_request_is_decided_by_the_rules_of_its_day_whoever_scores_it(world: World) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    (item,) = world.items("ScoringRequests")
    assert item["rules_of"] == NOW.date().isoformat()
    world.clock.advance(86_400)
    wired.assessment().score_in_process(world.application_id)
    wired.assessment().decide(world.application_id)
    report = wired.assessment().report(world.application())
    assert report["rules_of"] == item["rules_of"]


def test_the_fallback_scores_by_the_rules_of_the_requests_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next day the black list's rules are gone."""
    world.blacklist()
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    champion, tomorrow = wired.champions()["origination"](), NOW.date() + timedelta(days=1)
    ended = replace(champion, rules=tuple(replace(rule, effective_until=tomorrow) for rule in champion.rules))
    monkeypatch.setattr(wired.assessment(), "_models", {"origination": lambda: ended})
    world.clock.advance(86_400)
    wired.assessment().score_in_process(world.application_id)
    (item,) = world.items("ScoringRequests")
    assert json.loads(unpacked(item["result"]))["stage"] == "blacklist"


@pytest.mark.parametrize("asked", [True, False], ids=["asked", "never asked"])
@pytest.mark.parametrize(
    ("zone", "hours", "day"),
    [
        ("Asia/Shanghai", 7, "2026-11-21"),
        ("Asia/Shanghai", 8, "2026-11-22"),
        ("UTC", 8, "2026-11-21"),
        ("America/Anchorage", 0, "2026-11-20"),
        ("Asia/Kathmandu", 10, "2026-11-21"),
        ("Asia/Kathmandu", 11, "2026-11-22"),
    ],
)
def test_the_days_of_rules_are_those_of_the_place_that_is_configured(
    world: World, asked: bool, zone: str, hours: int, day: str
) -> None:
    """It is 08:00 UTC; in China midnight is at 16:00 UTC."""
    world.clock.zone = ZoneInfo(zone)
    world.to_collected()
    world.clock.advance(hours * 3_600)
    if asked:
        wired.assessment().request(world.application_id, "t-1", lambda: True)
        world.clock.advance(86_400)
    wired.assessment().score_in_process(world.application_id)
    wired.assessment().decide(world.application_id)
    (item,) = world.items("ScoringRequests")
    (decision,) = wired.decision_log().of_day("origination", world.clock.today())
    report = wired.assessment().report(world.application())
    assert (item["rules_of"], decision.on, report["rules_of"]) == (day, day, day)
    assert wired.assessment().replay(world.application()).equal


def test_no_decision_without_a_score_and_no_score_without_data(world: World) -> None:
    with pytest.raises(NotAwaited):
        wired.assessment().score_in_process(world.application_id)
    with pytest.raises(ScoringFailed):
        wired.assessment().decide(world.application_id)
    with pytest.raises(NotFound):
        wired.assessment().report(world.application())


def test_withdrawn_before_the_decision(world: World) -> None:
    world.to_collected()
    wired.assessment().score_in_process(world.application_id)
    world.end(Outcome.WITHDRAWN)
    with pytest.raises(ApplicationClosed):
        wired.assessment().decide(world.application_id)
    assert world.application().outcome == Outcome.WITHDRAWN
