"""Every named end, every retry, fallback and loop of the process (C03-C24)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.cloud.clouds import PYTHON, Cloud
from tests.stepfunctions.scripted import (
    CLOSE,
    DECLINE,
    GO_ON,
    REFER,
    RETRY,
    SILENT,
    STATES,
    Say,
    Scenario,
    Stage,
    decides,
    error,
    fail,
    performing,
)

COLLECT, LATE, FINISH, ASK = "CollectCreditData", "AwaitAnswers", "FinishCollection", "AwaitAuthorization"
SPARK, LAMBDA, REPORT = "ScoreOnSpark", "ScoreInLambda", "WriteReport"
OFFER, SUBMIT, CONTRACT, SIGN, PAY = (
    "OfferProducts", "SubmitToLender", "RequestContract", "AwaitSignature", "OrderDisbursement",
)  # fmt: skip
OPERATOR, RECORD, REPLY = "QueueForOperator", "RecordOutcome", "AwaitReply"
FLOW = "AwaitFlow"
WAY = [COLLECT, SPARK, REPORT, OFFER, SUBMIT, CONTRACT, SIGN, PAY]
CLOSED = error("ApplicationClosed")
FLOWLESS = error("FlowRequired")
UNAVAILABLE = error("SourceUnavailable", "tax-bureau: unavailable: answered 503")
PENDING = {"numbers": ["call-1", "call-2"], "wait_seconds": 60}
THROTTLED = error("AwsCallFailed", "ThrottlingException")


def asks(reason: str) -> Say:
    """A collection that needs the borrower."""
    return error("AuthorizationRequired", reason)


def later(seconds: int = 60) -> Say:
    """A collection of which some sources answer later."""
    return error("AnswersPending", json.dumps({**PENDING, "wait_seconds": seconds}))


def goes(on: str) -> Say:
    """A borrower's reply to the lender."""
    return Say(succeed={"next": on})


SCENARIOS = {
    "disbursed": Scenario("Disbursed", steps=WAY),
    "declined": Scenario("Declined", {REPORT: [DECLINE]}, steps=WAY[:3]),
    "referred-and-approved": Scenario(
        "Disbursed", {REPORT: [REFER], OPERATOR: [decides("approve")]}, steps=[*WAY[:3], OPERATOR, *WAY[3:]]
    ),
    "referred-and-declined": Scenario(
        "Declined", {REPORT: [REFER], OPERATOR: [decides("decline")]}, steps=[*WAY[:3], OPERATOR]
    ),
    "referred-and-closed": Scenario(
        "ClosedByOperator", {REPORT: [REFER], OPERATOR: [CLOSE]}, steps=[*WAY[:3], OPERATOR]
    ),
    "referred-and-nobody-looks": Scenario(
        "WaitRanOut", {REPORT: [REFER], OPERATOR: [SILENT]}, {"Operator": 1}, steps=[*WAY[:3], OPERATOR, RECORD]
    ),
    "referred-and-withdrawn": Scenario(
        "AlreadyClosed", {REPORT: [REFER], OPERATOR: [CLOSED]}, steps=[*WAY[:3], OPERATOR]
    ),
    "referred-then-trouble": Scenario(
        "Disbursed", {REPORT: [REFER], SUBMIT: [error("Anything")], OPERATOR: [decides("approve"), RETRY]},
        steps=[*WAY[:3], OPERATOR, *WAY[3:5], OPERATOR, *WAY[4:]],
    ),
    "manager-assigns-a-flow": Scenario("Disbursed", {COLLECT: [FLOWLESS]}, steps=[COLLECT, FLOW, *WAY]),
    "manager-is-reminded": Scenario(
        "Disbursed", {COLLECT: [FLOWLESS], FLOW: [SILENT]}, {"Flow": 2}, steps=[COLLECT, FLOW, FLOW, *WAY]
    ),
    "manager-stays-silent": Scenario(
        "Disbursed", {COLLECT: [FLOWLESS], FLOW: [SILENT] * 2, OPERATOR: [RETRY]}, {"Flow": 1},
        steps=[COLLECT, FLOW, FLOW, OPERATOR, FLOW, *WAY],
    ),
    "nobody-assigns-a-flow": Scenario(
        "WaitRanOut", {COLLECT: [FLOWLESS], FLOW: [SILENT] * 2, OPERATOR: [SILENT]}, {"Flow": 1, "Operator": 1},
        steps=[COLLECT, FLOW, FLOW, OPERATOR, RECORD],
    ),
    "withdrawn-without-a-flow": Scenario(
        "AlreadyClosed", {COLLECT: [FLOWLESS], FLOW: [fail("ApplicationClosed")]}, steps=[COLLECT, FLOW]
    ),
    "nothing-matches": Scenario("NothingMatches", {OFFER: [error("NothingMatches")]}, steps=WAY[:4]),
    "lender-rejects": Scenario("LenderRejected", {SUBMIT: [fail("LenderRejected")]}, steps=WAY[:5]),
    "lender-rejects-and-another-is-chosen": Scenario(
        "Disbursed", {SUBMIT: [fail("OfferRejected")]}, steps=[*WAY[:5], *WAY[3:]]
    ),
    "counter-offer-accepted": Scenario(
        "Disbursed", {SUBMIT: [fail("CounterOffered")], REPLY: [goes("contract")]}, steps=[*WAY[:5], REPLY, *WAY[5:]]
    ),
    "counter-offer-declined": Scenario(
        "CounterDeclined", {SUBMIT: [fail("CounterOffered")], REPLY: [goes("end")]}, steps=[*WAY[:5], REPLY]
    ),
    "counter-offer-declined-and-another-is-chosen": Scenario(
        "Disbursed", {SUBMIT: [fail("CounterOffered")], REPLY: [goes("choice")]},
        steps=[*WAY[:5], REPLY, *WAY[3:]],
    ),
    "lender-asks": Scenario(
        "Disbursed", {SUBMIT: [fail("InformationRequired")], REPLY: [goes("decision")]},
        steps=[*WAY[:5], REPLY, *WAY[4:]],
    ),
    "nobody-replies": Scenario(
        "WaitRanOut", {SUBMIT: [fail("CounterOffered")], REPLY: [SILENT]}, {"Reply": 1},
        steps=[*WAY[:5], REPLY, RECORD],
    ),
    "withdrawn-instead-of-a-reply": Scenario(
        "AlreadyClosed", {SUBMIT: [fail("CounterOffered")], REPLY: [CLOSED]}, steps=[*WAY[:5], REPLY]
    ),
    "throttled-in-AwaitReply": Scenario(
        "Disbursed", {SUBMIT: [fail("CounterOffered")], REPLY: [THROTTLED, goes("contract")]},
        steps=[*WAY[:5], REPLY, REPLY, *WAY[5:]],
    ),
    "operator-retries-AwaitReply": Scenario(
        "Disbursed",
        {SUBMIT: [fail("CounterOffered")], REPLY: [error("Anything"), goes("contract")], OPERATOR: [RETRY]},
        steps=[*WAY[:5], REPLY, OPERATOR, REPLY, *WAY[5:]],
    ),
    "authorization-failed": Scenario(
        "AuthorizationFailed",
        {COLLECT: [asks("none_stored")] * 2, ASK: [GO_ON, error("AuthorizationExhausted")]},
        steps=[COLLECT, ASK, COLLECT, ASK],
    ),
    "asked-and-authorised": Scenario(
        "Disbursed",
        {COLLECT: [asks("code_revoked")] * 2},
        steps=[COLLECT, ASK, COLLECT, ASK, *WAY],
    ),
    "asked-before-anything-is-collected": Scenario(
        "Disbursed", {COLLECT: [asks("none_stored")]}, steps=[COLLECT, ASK, *WAY], given={"problem": "none_stored"}
    ),
    "asked-and-a-source-is-late": Scenario(
        "Disbursed", {COLLECT: [asks("none_stored"), later()]}, steps=[COLLECT, ASK, COLLECT, LATE, FINISH, *WAY[1:]]
    ),
    "sources-answer-later": Scenario("Disbursed", {COLLECT: [later()]}, steps=[COLLECT, LATE, FINISH, *WAY[1:]]),
    "a-late-answer-never-comes": Scenario(
        "Disbursed", {COLLECT: [later(1)], LATE: [SILENT]}, steps=[COLLECT, LATE, FINISH, *WAY[1:]]
    ),
    "late-answers-take-as-long-as-a-collection-may": Scenario(
        "Disbursed", {COLLECT: [later()], LATE: [SILENT]}, {"Collection": 1}, steps=[COLLECT, LATE, FINISH, *WAY[1:]]
    ),
    "late-answers-cannot-be-waited-for": Scenario(
        "Disbursed", {COLLECT: [later()], LATE: [error("Anything")]}, steps=[COLLECT, LATE, FINISH, *WAY[1:]]
    ),
    "throttled-in-AwaitAnswers": Scenario(
        "Disbursed", {COLLECT: [later()], LATE: [THROTTLED]}, steps=[COLLECT, LATE, LATE, FINISH, *WAY[1:]]
    ),
    "throttled-in-FinishCollection": Scenario(
        "Disbursed", {COLLECT: [later()], FINISH: [THROTTLED]}, steps=[COLLECT, LATE, FINISH, FINISH, *WAY[1:]]
    ),
    "closed-while-late-answers-are-awaited": Scenario(
        "AlreadyClosed", {COLLECT: [later()], FINISH: [CLOSED]}, steps=[COLLECT, LATE, FINISH]
    ),
    "withdrawn-while-late-answers-are-awaited": Scenario(
        "Disbursed", {COLLECT: [later()], FINISH: [asks("withdrawn")]}, steps=[COLLECT, LATE, FINISH, ASK, *WAY]
    ),
    "late-answer-is-of-no-use": Scenario(
        "ClosedByOperator", {COLLECT: [later()], FINISH: [UNAVAILABLE] * 5, OPERATOR: [CLOSE]},
        steps=[COLLECT, LATE, *[FINISH] * 5, OPERATOR],
    ),
    "operator-retries-FinishCollection": Scenario(
        "Disbursed", {COLLECT: [later()], FINISH: [error("Anything")], OPERATOR: [RETRY]},
        steps=[COLLECT, LATE, FINISH, OPERATOR, *WAY],
    ),
    "closed-by-operator": Scenario(
        "ClosedByOperator", {CONTRACT: [fail("LenderUnavailable")], OPERATOR: [CLOSE]}, steps=[*WAY[:6], OPERATOR]
    ),
    "withdrawn-while-asked": Scenario(
        "AlreadyClosed", {COLLECT: [asks("none_stored")], ASK: [fail("ApplicationClosed")]},
        steps=[COLLECT, ASK],
    ),
    "spark-fails": Scenario("Disbursed", {SPARK: [fail("ScoringFailed")]}, steps=[*WAY[:2], LAMBDA, *WAY[2:]]),
    "spark-cannot-be-asked": Scenario("Disbursed", {SPARK: [error("Anything")]}, steps=[*WAY[:2], LAMBDA, *WAY[2:]]),
    "spark-is-late": Scenario(
        "Disbursed", {SPARK: [SILENT]}, {"Scoring": 1}, steps=[*WAY[:2], LAMBDA, *WAY[2:]]
    ),
    "source-comes-back": Scenario("Disbursed", {COLLECT: [UNAVAILABLE] * 4}, steps=[COLLECT] * 4 + WAY),
    "source-stays-away": Scenario(
        "ClosedByOperator", {COLLECT: [UNAVAILABLE] * 5, OPERATOR: [CLOSE]},
        steps=[COLLECT] * 5 + [OPERATOR],
    ),
    "lender-answers-the-second-question": Scenario(
        "Disbursed", {SUBMIT: [SILENT]}, {"Lender": 2}, steps=[*WAY[:5], *WAY[4:]]
    ),
    "lender-stays-silent": Scenario(
        "ClosedByOperator", {SUBMIT: [SILENT] * 2, OPERATOR: [CLOSE]}, {"Lender": 1}, steps=[*WAY[:5], SUBMIT, OPERATOR]
    ),
    "authorization-runs-out": Scenario(
        "WaitRanOut", {COLLECT: [asks("none_stored")], ASK: [SILENT]}, {"Authorization": 1},
        steps=[COLLECT, ASK, RECORD],
    ),
    "choice-runs-out": Scenario("WaitRanOut", {OFFER: [SILENT]}, {"Choice": 1}, steps=[*WAY[:4], RECORD]),
    "signature-runs-out": Scenario("WaitRanOut", {SIGN: [SILENT]}, {"Signature": 1}, steps=[*WAY[:7], RECORD]),
    "operator-never-looks": Scenario(
        "WaitRanOut", {REPORT: [error("Anything")], OPERATOR: [SILENT]}, {"Operator": 1},
        steps=[*WAY[:3], OPERATOR, RECORD],
    ),
    "recorded-meanwhile": Scenario(
        "AlreadyClosed", {OFFER: [SILENT], RECORD: [CLOSED]}, {"Choice": 1}, steps=[*WAY[:4], RECORD]
    ),
}  # fmt: skip
for _place, _step in enumerate(WAY):
    SCENARIOS[f"closed-before-{_step}"] = Scenario("AlreadyClosed", {_step: [CLOSED]}, steps=WAY[: _place + 1])
    SCENARIOS[f"throttled-in-{_step}"] = Scenario(
        "Disbursed", {_step: [THROTTLED]}, steps=[*WAY[: _place + 1], *WAY[_place:]]
    )
    if _step != SPARK:
        SCENARIOS[f"operator-retries-{_step}"] = Scenario(
            "Disbursed", {_step: [error("Anything")], OPERATOR: [RETRY]},
            steps=[*WAY[: _place + 1], OPERATOR, *WAY[_place:]],
        )  # fmt: skip
SCENARIOS["closed-before-ScoreInLambda"] = Scenario(
    "AlreadyClosed", {SPARK: [error("Anything")], LAMBDA: [CLOSED]}, steps=[*WAY[:2], LAMBDA]
)
SCENARIOS["operator-retries-ScoreInLambda"] = Scenario(
    "Disbursed", {SPARK: [error("Anything")], LAMBDA: [error("Anything")], OPERATOR: [RETRY]},
    steps=[*WAY[:2], LAMBDA, OPERATOR, LAMBDA, *WAY[2:]],
)  # fmt: skip
SCENARIOS["operator-retries-AwaitAuthorization"] = Scenario(
    "Disbursed", {COLLECT: [asks("no_data")], ASK: [error("Anything")], OPERATOR: [RETRY]},
    steps=[COLLECT, ASK, OPERATOR, ASK, *WAY],
)  # fmt: skip


@dataclass
class Runs:
    """All scenarios, started together: they wait more than they work."""

    stage: Stage
    executions: dict[str, str]

    def ended(self, name: str) -> dict[str, Any]:
        return self.stage.cloud.ended(self.executions[name], seconds=60)

    def steps(self, name: str) -> list[str]:
        return [step for step, _ in self.stage.played[name]]

    def entered(self, name: str) -> list[str]:
        """Every state that was entered, in order."""
        pages = self.stage.cloud.client("stepfunctions").get_paginator("get_execution_history")
        return [
            str(event["stateEnteredEventDetails"]["name"])
            for page in pages.paginate(executionArn=self.executions[name])
            for event in page["events"]
            if "stateEnteredEventDetails" in event
        ]

    def transitions_to_the_offers(self, name: str) -> int:
        """As AWS bills them: each state that was entered, each retry once more."""
        entered, tried = self.entered(name), self.steps(name)
        entered, tried = entered[: entered.index(OFFER) + 1], tried[: tried.index(OFFER) + 1]
        return len(entered) + len(tried) - sum(STATES[state]["Type"] == "Task" for state in entered)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    if not PYTHON.exists():
        pytest.skip("the emulator's environment is missing; run `make setup`")
    cloud = Cloud(tmp_path_factory.mktemp("stepfunctions"), mended=True).start()
    try:
        with performing(cloud) as stage:
            yield Runs(stage, {name: scenario.start(stage, name) for name, scenario in SCENARIOS.items()})
    finally:
        cloud.stop()


@pytest.mark.parametrize("name", SCENARIOS)
def test_way(runs: Runs, name: str) -> None:
    ended = runs.ended(name)
    assert ended["status"] == "SUCCEEDED", ended
    assert runs.entered(name)[-1] == SCENARIOS[name].end
    assert runs.steps(name) == list(SCENARIOS[name].steps)


# A state entered is what a process costs most by. A change that needs more raises the figure here and says why.
@pytest.mark.parametrize(
    ("name", "most"),
    [("disbursed", 5), ("sources-answer-later", 7), ("asked-before-anything-is-collected", 7),
     ("asked-and-a-source-is-late", 9), ("spark-is-late", 6), ("throttled-in-CollectCreditData", 6),
     ("source-comes-back", 9)],
)  # fmt: skip
def test_transitions_to_the_offers(runs: Runs, name: str, most: int) -> None:
    runs.ended(name)
    assert runs.transitions_to_the_offers(name) <= most


@pytest.mark.parametrize(
    ("name", "outcome"),
    [("authorization-runs-out", "authorization_expired"), ("choice-runs-out", "choice_expired"),
     ("signature-runs-out", "signature_expired"), ("operator-never-looks", "closed_by_operator"),
     ("referred-and-nobody-looks", "closed_by_operator"), ("nobody-assigns-a-flow", "flow_expired")],
)  # fmt: skip
def test_a_wait_that_ran_out_names_its_outcome(runs: Runs, name: str, outcome: str) -> None:
    runs.ended(name)
    assert runs.stage.played[name][-1][1] == {"application_id": name, "outcome": outcome}


def test_the_borrower_is_told_why_he_is_asked(runs: Runs) -> None:
    runs.ended("asked-and-authorised")
    asked = [event for step, event in runs.stage.played["asked-and-authorised"] if step == ASK]
    assert [event["reason"] for event in asked] == ["code_revoked", "code_revoked"]
    assert len({event["task_token"] for event in asked}) == 2
    runs.ended("operator-retries-AwaitAuthorization")
    again = [event for step, event in runs.stage.played["operator-retries-AwaitAuthorization"] if step == ASK]
    assert [event["reason"] for event in again] == ["no_data", "no_data"]


@pytest.mark.parametrize(
    ("name", "stage", "reason"),
    [("source-stays-away", COLLECT, "SourceUnavailable"), ("operator-retries-FinishCollection", COLLECT, "Anything"),
     ("closed-by-operator", CONTRACT, "LenderUnavailable"),
     ("lender-stays-silent", SUBMIT, "States.Timeout"), ("manager-stays-silent", FLOW, "States.Timeout"),
     ("referred-and-declined", "Referral", "GREYLISTED, CREDIT_OVERDUE")],
)  # fmt: skip
def test_a_person_is_told_where_and_why(runs: Runs, name: str, stage: str, reason: str) -> None:
    runs.ended(name)
    (event,) = [event for step, event in runs.stage.played[name] if step == OPERATOR]
    assert event["stage"] == stage
    assert event["reason"] == reason


def test_a_task_is_told_its_application_and_token_and_no_more(runs: Runs) -> None:
    runs.ended("disbursed")
    for step, event in runs.stage.played["disbursed"][1:]:
        waits = step in (SPARK, OFFER, SUBMIT, CONTRACT, SIGN, PAY)
        assert set(event) == ({"application_id", "task_token"} if waits else {"application_id"}), step


def test_a_collection_is_told_whether_late_answers_are_waited_for(runs: Runs) -> None:
    name = "sources-answer-later"
    runs.ended(name)
    (_, first), (_, wait), (_, last), *_ = runs.stage.played[name]
    assert first == {"application_id": name, "problem": "", "last_word": False}
    assert (wait["pending"], last) == (PENDING, {"application_id": name, "last_word": True})


def test_why_the_firm_must_be_asked_first_reaches_the_collection(runs: Runs) -> None:
    name = "asked-before-anything-is-collected"
    runs.ended(name)
    assert [event["problem"] for step, event in runs.stage.played[name] if step == COLLECT] == ["none_stored"] * 2


def test_the_script_has_been_played_to_its_end(runs: Runs) -> None:
    for name in SCENARIOS:
        runs.ended(name)
    assert not [(name, step) for name, script in runs.stage.scripts.items() for step, left in script.items() if left]
