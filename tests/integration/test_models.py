"""A model's way on a running platform, from its proposal to a rollback; nothing restarts (M08)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from client import Api, ProblemError
from run import many
from run.platform import LocalPlatform
from tests.integration.conftest import Target
from tests.support.candidates import SHIPPED, candidate, stricter
from tests.support.processes import below

HERE = "/v1/models/origination"
CASES = iter(many.cases(30, skip=200))


class Officer:
    """A risk officer, with a subject of his own."""

    def __init__(self, target: Target, name: str) -> None:
        self.api = target.api("risk_officer", f"risk-{name}")

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return dict(self.api.call("POST", f"{HERE}{path}", body or {}))

    def get(self, path: str = "") -> dict[str, Any]:
        return dict(self.api.call("GET", f"{HERE}{path}"))


def decide(target: Target) -> tuple[str, dict[str, Any]]:
    """Another firm applies; the application's id and the versions that its report names."""
    journey = target.borrower(next(CASES)).live_through(uuid.uuid4().hex)
    report = target.api("auditor", "platform").report(journey.application.application_id)
    return journey.application.application_id, {**report["versions"], "decision": report["result"]["decision"]}


def decided_by(target: Target, model_version: str) -> tuple[str, dict[str, Any]]:
    """The first decision of the next firms that is that version's on Spark: the job prepares it beside the running one.

    On a busy machine the fallback evaluator may decide some; it takes up a version sooner than the job.
    """
    while True:
        application_id, found = decide(target)
        if (found["model_version"], found["engine"]) == (model_version, "spark"):
            return application_id, found


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def java(local: LocalPlatform) -> list[int]:
    """The resident job's process."""
    return [one.pid for one in below(local.supervisor.pid("cloud"), "org.apache.spark.deploy.SparkSubmit")]


@pytest.mark.timeout(600)
def test_from_proposal_to_rollback(target: Target, local: LocalPlatform) -> None:
    ann, bob, cid = (Officer(target, name) for name in ("ann", "bob", "cid"))
    auditor: Api = target.api("auditor", "platform")
    old, first = decide(target)
    assert (first["model_version"], first["engine"]) == ("2.1.0", "spark")
    assert first["decision"] != "decline"
    running = java(local)
    assert running

    version = ann.post("/versions", {"kind": "policy", "note": "stricter", "document": candidate("2.2.0", stricter)})
    content_hash, here = version["content_hash"], f"/versions/{version['content_hash']}"
    with pytest.raises(ProblemError) as caught:
        ann.post(f"{here}/approval")
    assert (caught.value.status, caught.value.code) == (403, "four_eyes")
    bob.post(f"{here}/approval", {"note": "as discussed"})
    assert "signature" in bob.get(f"{here}/document")

    bob.post(f"{here}/challenge")

    def compared() -> bool:
        assert decide(target)[1]["model_version"] == "2.1.0"
        return bool(bob.get("/comparison")["scored"])

    until(compared)
    comparison = bob.get("/comparison")
    assert (comparison["challenger"], comparison["challenger_approval_bps"]) == (content_hash, 0)

    bob.post(f"{here}/promotion")
    current = cid.post(f"{here}/promotion/confirmation")
    assert (current["champion"], current["previous"]) == (content_hash, SHIPPED["content_hash"])
    new, second = decided_by(target, "2.2.0")
    assert (second["model_hash"], second["decision"], second["engine"]) == (content_hash, "decline", "spark")

    cid.post("/rollback", {"reason": "declines everybody"})
    decided_by(target, "2.1.0")
    assert java(local) == running
    for application_id, model_version in ((old, "2.1.0"), (new, "2.2.0")):
        replayed = auditor.call("GET", f"/v1/applications/{application_id}/replay")
        assert (replayed["equal"], replayed["model_version"]) == (True, model_version)
    whats = [line["what"] for line in bob.get(here)["history"]]
    assert whats == ["proposed", "approved", "challenged", "promotion_proposed", "promoted", "rolled_back"]
