"""Each function as Lambda calls it, the way an application takes through them, and what it all leaves in the log."""

from __future__ import annotations

import io
import json
import shlex
import traceback
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from creditmesh.closing.model import LenderUnavailable
from creditmesh.decisions.serving.heartbeat import NAME
from creditmesh.decisions.serving.spark_settings import INTERPRETER, RESIDENT, RESIDENT_WORKERS, libraries
from creditmesh.governance.model import ModelKind
from creditmesh.intake.model import AuthorizationExhausted, Outcome
from creditmesh.offers.model import NothingMatches
from creditmesh.platform.deliveries import GRACE_SECONDS
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.observability import AwsCallFailed
from creditmesh.platform.outbox import MANNERS, WEBHOOK
from creditmesh.platform.paging import Window
from creditmesh.platform.tables import Update
from tests.support import wired
from tests.support.aws import table_name
from tests.support.candidates import candidate
from tests.support.functions import invoke, stream_event
from tests.support.world import (
    APPROVAL,
    BORROWER,
    CODE,
    CONTRACT,
    DISBURSEMENT,
    FIRM,
    KEYS,
    LENDER_A,
    OPERATOR,
    SECRET_A,
    World,
)


def step(world: World, name: str, token: str | None = None, **more: Any) -> Any:
    event = {"application_id": world.application_id, **more}
    return invoke(name, event | ({"task_token": token} if token else {}))


def to_disbursed(world: World) -> None:
    """The whole way, every step by its function."""
    step(world, "AwaitAuthorizationFunction", "t-1", reason="none_stored")
    wired.intake().authorize(BORROWER, world.application_id, CODE, "2027-01-01T00:00:00Z")
    world.sources_answer()
    assert step(world, "CollectCreditDataFunction", problem="none_stored") == {}
    world.spark_ready()
    step(world, "RequestScoringFunction", "t-2")
    step(world, "ScoreInProcessFunction")
    assert step(world, "WriteReportFunction") == {"decision": "approve", "stage": "approved", "reasons": ""}
    world.push()
    assert step(world, "OfferProductsFunction", "t-3") == {}
    world.choose()
    step(world, "SubmitToLenderFunction", "t-4")
    world.http.answer("POST", LENDER_A, 202)
    assert delivered(world) == ["sent"]
    world.say("loan.decision", "w-1", **APPROVAL)
    step(world, "RequestContractFunction", "t-5")
    world.say("loan.contract.ready", "w-2", **CONTRACT)
    step(world, "AwaitSignatureFunction", "t-6")
    wired.signatures().sign(BORROWER, world.application_id, CONTRACT["document_sha256"], "Test Signer")
    step(world, "OrderDisbursementFunction", "t-7")
    world.say("loan.disbursed", "w-3", **DISBURSEMENT)


def delivered(world: World) -> list[str]:
    """What becomes of the outbox's messages on their way through stream, queue and functions."""
    assert invoke("EnqueueMessagesFunction", stream_event(world, "Outbox")) == {"batchItemFailures": []}
    return [invoke("DeliverMessagesFunction", event)["result"] for event in queued(world, "DeliveryQueue")]


def queued(world: World, queue: str) -> list[dict[str, Any]]:
    """What Lambda hands on of a queue, one message a call."""
    sqs, url = world.stack.clients["sqs"], world.stack.refs[queue]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [{"Records": [{"eventSource": "aws:sqs", "messageId": "q", "body": one["Body"]}]} for one in found]


def test_the_whole_way(world: World) -> None:
    to_disbursed(world)
    assert world.application().outcome == Outcome.DISBURSED
    assert set(world.steps.succeeded) == {"t-1", "t-3", "t-4", "t-5", "t-6", "t-7"}
    assert world.steps.failed == {}


def test_nothing_personal_or_secret_reaches_a_log(
    world: World, log_output: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    to_disbursed(world)
    invoke("PublishEventsFunction", stream_event(world, "Applications"))
    step(world, "RecordOutcomeFunction", outcome="choice_expired")
    # An item that does not fit its model: pydantic's message would quote the taxpayer id.
    wired.tables().write(
        Update(table_name("Applications"), {"application_id": world.application_id}, remove=("purpose",))
    )
    with pytest.raises(Exception, match="unexpected") as told:
        step(world, "CollectCreditDataFunction")
    assert type(told.value).__name__ == "ValidationError"
    assert FIRM.taxpayer_id not in "".join(traceback.format_exception(told.value))
    said = log_output.getvalue() + "".join(capsys.readouterr())
    assert "step failed" in said
    for secret in (
        CODE, FIRM.taxpayer_id, FIRM.name, "Test Signer", SECRET_A, KEYS["tax-bureau"]["api_key"], "t-1", "t-7",
        CONTRACT["document"],
    ):  # fmt: skip
        assert str(secret) not in said


def test_each_step_run_twice_leaves_the_same(world: World) -> None:
    world.authorize()
    world.sources_answer()
    world.push()
    for name, token in (
        ("CollectCreditDataFunction", None),
        ("RequestScoringFunction", "t"), ("ScoreInProcessFunction", None), ("WriteReportFunction", None),
    ):  # fmt: skip
        first, second = step(world, name, token), step(world, name, token)
        assert first == second
    assert [entry.status for entry in world.application().timeline] == ["received", "collected", "assessed"]


def test_a_step_names_its_error(world: World) -> None:
    world.to_assessed()
    with pytest.raises(NothingMatches):
        step(world, "OfferProductsFunction", "t-1")


def test_asked_as_often_as_the_setting_allows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_AUTHORIZATION_REQUESTS", "1")
    step(world, "AwaitAuthorizationFunction", "t-1", reason="none_stored")
    wired.intake().authorize(BORROWER, world.application_id, CODE, "2026-01-01T00:00:00Z")
    with pytest.raises(AuthorizationExhausted):
        step(world, "AwaitAuthorizationFunction", "t-2", reason="code_expired")


def test_a_fault_of_aws_has_the_name_the_process_retries(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.application_id
    monkeypatch.setenv("STAGE", "other")
    with pytest.raises(AwsCallFailed):
        step(world, "RecordOutcomeFunction", outcome="choice_expired")


def test_handed_over_to_a_person(world: World) -> None:
    step(world, "QueueForOperatorFunction", "t-1", stage="WriteReport", reason="X")
    (task,) = wired.operators().list(OPERATOR, Window(10)).items
    assert (task.stage, task.application_id) == ("WriteReport", world.application_id)


def test_an_outcome_is_recorded_once(world: World) -> None:
    world.to_offered()
    for outcome in ("choice_expired", "signature_expired"):
        assert step(world, "RecordOutcomeFunction", outcome=outcome) == {}
    assert world.application().outcome == "choice_expired"
    with pytest.raises(Exception, match="unexpected"):
        step(world, "RecordOutcomeFunction", outcome="no such outcome")


def test_what_is_stalled_is_taken_up(world: World) -> None:
    world.steps.executions[world.application_id] = "FAILED"
    event = {"source": "aws.states", "detail": {"status": "FAILED", "name": world.application_id}}
    assert invoke("ResumeApplicationsFunction", event) == {"resumed": 1}
    for number, sweep in enumerate(("transit", "lost"), start=1):
        world.steps.executions[f"{world.application_id}-r{number}"] = "FAILED"
        world.clock.advance(60)
        assert invoke("ResumeApplicationsFunction", {"sweep": sweep}) == {"resumed": 1}


def test_a_record_that_cannot_be_queued_fails_alone(world: World) -> None:
    world.to_submitted()
    good = stream_event(world, "Outbox")["Records"][0]
    bad = json.loads(json.dumps(good))
    bad["dynamodb"]["SequenceNumber"] = "bad"
    del bad["dynamodb"]["NewImage"]["about"]
    broken = {"eventSource": "aws:sqs", "messageId": "q-2", "body": "{}"}
    assert invoke("EnqueueMessagesFunction", {"Records": [bad, good, broken]}) == {
        "batchItemFailures": [{"itemIdentifier": "bad"}, {"itemIdentifier": "q-2"}]
    }
    assert len(queued(world, "DeliveryQueue")) == 1


def test_a_delivery_that_failed_comes_back_through_the_retry_queue(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = replace(MANNERS[WEBHOOK], first_pause=0)  # moto's delays are real
    monkeypatch.setitem(MANNERS, WEBHOOK, at_once)
    world.to_submitted()
    world.http.fail("POST", LENDER_A, InstitutionUnavailable("answered", status=503))
    assert delivered(world) == ["later"]
    (item,) = world.items("Outbox")
    assert (item["state"], item["attempts"]) == ("pending", 1)
    world.http.answer("POST", LENDER_A, 202)
    (again,) = queued(world, "RetryQueue")
    assert invoke("EnqueueMessagesFunction", again) == {"batchItemFailures": []}
    (event,) = queued(world, "DeliveryQueue")
    assert invoke("DeliverMessagesFunction", event) == {"result": "sent"}


def test_a_message_nobody_takes_hands_its_process_over(world: World) -> None:
    world.to_submitted("t-1")
    world.http.answer("POST", LENDER_A, 422, {"error": "unknown product"})
    assert delivered(world) == ["parked"]
    assert world.steps.failed == {"t-1": LenderUnavailable.__name__}


def test_a_message_that_lost_its_ticket_gets_another(world: World) -> None:
    world.to_submitted()
    world.http.answer("POST", LENDER_A, 202)
    assert invoke("EnqueueMessagesFunction", {}) == {"found": 0, "left": 0}
    world.clock.advance(GRACE_SECONDS + 1)
    assert invoke("EnqueueMessagesFunction", {}) == {"found": 1, "left": 0}
    (event,) = queued(world, "DeliveryQueue")
    assert invoke("DeliverMessagesFunction", event) == {"result": "sent"}


def test_a_score_reaches_its_process_and_a_bad_record_fails_alone(world: World) -> None:
    world.to_collected()
    wired.assessment().request(world.application_id, "t-1", lambda: True)
    wired.assessment().score_in_process(world.application_id)
    event = stream_event(world, "ScoringRequests")
    event["Records"].append({"dynamodb": {"SequenceNumber": "bad", "NewImage": {}}})
    assert invoke("CompleteScoringFunction", event) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert world.steps.succeeded == {"t-1": {"engine": "python"}}


def test_changes_become_events(world: World) -> None:
    assert world.application_id
    assert invoke("PublishEventsFunction", stream_event(world, "Applications")) == {"published": 1}
    same = stream_event(world, "Applications")["Records"][0]["dynamodb"]["NewImage"]
    assert invoke("PublishEventsFunction", stream_event(world, "Applications", "MODIFY", same)) == {"published": 0}


def test_changes_of_models_become_events(world: World) -> None:
    version = wired.model_registry().propose(candidate(), maker="ann", kind=ModelKind.RULES)
    wired.model_registry().approve(version.model_id, version.content_hash, checker="bob")
    made = stream_event(world, "Models")
    assert invoke("PublishModelsFunction", made) == {"published": 3}  # the shipped one, a proposal and its approval
    for record in made["Records"]:
        record["dynamodb"]["OldImage"] = record["dynamodb"]["NewImage"]
    assert invoke("PublishModelsFunction", made) == {"published": 0}


class Emr:
    """EMR Serverless without runs, of a region."""

    meta = SimpleNamespace(region_name="eu-west-3")

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []

    def list_job_runs(self, **_: Any) -> dict[str, Any]:
        return {"jobRuns": []}

    def start_job_run(self, **given: Any) -> dict[str, str]:
        self.started.append(given)
        return {"jobRunId": "run-9"}


def test_the_resident_job_is_told_all_that_it_needs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Code under its digest, arguments of this stack, settings of the package, what the operator adds at the end."""
    emr, code = Emr(), "0123456789abcdef"
    wired.renew(client=lambda service: emr if service == "emr-serverless" else world.client(service))
    given = world.stack.environment_of("EnsureScoringJobFunction") | {
        "SCORING_APPLICATION_ID": "app", "SCORING_JOB_ROLE_ARN": "role", "SPARK_CODE": code,
        "SCORING_LIBRARIES": "emr/libraries/x.tar.gz", "SCORING_SPARK_PARAMETERS": "--conf spark.driver.memory=3g",
    }  # fmt: skip
    answer = invoke("EnsureScoringJobFunction", {}, given)
    assert answer == {"job_run_id": "run-9", "started": True, "ready": False}
    (run,) = emr.started
    assert (run["applicationId"], run["mode"], run["executionRoleArn"]) == ("app", "STREAMING", "role")
    submit, bucket = run["jobDriver"]["sparkSubmit"], f"s3://{world.stack.refs['ArtefactBucket']}"
    assert submit["entryPoint"] == f"{bucket}/emr/{code}/jobs/score_applications.py"
    words = submit["entryPointArguments"]
    arguments = dict(zip(words[::2], words[1::2], strict=True))
    assert arguments["--job"] == run["name"] == f"{NAME}-{run['name'][-12:]}"
    assert arguments["--region"] == "eu-west-3"
    assert arguments["--table"] == world.stack.refs["ScoringRequests"]
    assert arguments["--model-uris"].split(",")[0] == f"{bucket}/models/origination-2.1.0.json"
    assert arguments["--shards"] == "1"
    conf = dict(
        word.split("=", 1) for word in shlex.split(submit["sparkSubmitParameters"]) if word.startswith("spark.")
    )
    archive = libraries(f"{bucket}/emr/libraries/x.tar.gz")
    assert conf == {**RESIDENT, **RESIDENT_WORKERS, **INTERPRETER, **archive, "spark.driver.memory": "3g"}
    assert submit["sparkSubmitParameters"].startswith(f"--py-files {bucket}/emr/{code}/creditmesh-spark.zip ")
    assert '"ScoringJobReady":[0' in capsys.readouterr().out


def test_where_no_job_is_wanted_none_is_missing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    emr = Emr()
    wired.renew(client=lambda service: emr if service == "emr-serverless" else world.client(service))
    given = world.stack.environment_of("EnsureScoringJobFunction") | {
        "SCORING_APPLICATION_ID": "app", "SCORING_JOB_ROLE_ARN": "role", "SPARK_CODE": "x", "SCORING_ENGINE": "lambda",
    }  # fmt: skip
    assert invoke("EnsureScoringJobFunction", {}, given) == {"job_run_id": None, "started": False, "ready": None}
    assert emr.started == []
    assert "ScoringJobReady" not in capsys.readouterr().out


def test_every_decision_is_counted_by_its_engine(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.to_collected()
    wired.assessment().score_in_process(world.application_id)
    invoke("WriteReportFunction", {"application_id": world.application_id})
    (line,) = [line for line in capsys.readouterr().out.splitlines() if '"Decisions"' in line]
    metric = json.loads(line)
    assert (metric["Decisions"], metric["engine"]) == ([1.0], "python")
