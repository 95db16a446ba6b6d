"""Training runs: what they are given, what becomes of their candidate; the drift watch (M08)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from creditmesh.governance.learning import AlreadyStarted, run_name
from creditmesh.governance.model import ModelKind, ModelState
from creditmesh.governance.watch import DriftWatch
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.risk.artefact import Artefact
from creditmesh.risk.assembly import assemble
from tests.support import wired
from tests.support.world import World

BASE: dict[str, Any] = json.loads((Path(__file__).parents[3] / "models/origination-2.1.0.json").read_text("utf-8"))
RUN, PLACE = "origination-run-1", "training-runs/origination-run-1"
PASSED = {"id": "auc_gain", "passed": True, "value": 12_000, "threshold": 0, "note": "AUC"}


def candidate(cutoff: int = 601) -> dict[str, Any]:
    names = ("scorecard", "calibration", "grades", "feature_schema")
    sections = {name: BASE[name] for name in names}
    return assemble(BASE, {**sections, "scorecard": {**BASE["scorecard"], "cutoff": cutoff}})


def ended(gates: list[dict[str, Any]], document: dict[str, Any] | None = None) -> None:
    """Lay down what the job leaves."""
    report = {"passed": all(g["passed"] for g in gates), "gates": gates, "made_at": "2026-11-22T00:00:00.000Z"}
    wired.data().put_json(f"{PLACE}/gates.json", report)
    wired.data().put_json(f"{PLACE}/candidate.json", document or candidate())


def test_a_run_is_started_once_by_its_name(world: World) -> None:
    for _ in range(2):
        wired.learning().start("origination", RUN, by="operator-1", training_set="training-sets/2026/")
    with pytest.raises(AlreadyStarted):
        wired.learning().start("origination", RUN, by="operator-1")
    assert world.steps.inputs == {
        RUN: {"model_id": "origination", "by": "operator-1", "training_set": "training-sets/2026/"}
    }


@pytest.mark.parametrize(
    ("run", "folder", "field"),
    [("a/b", None, "run"), (RUN, "reports/", "training_set"), (RUN, "training-sets/../x", "training_set")],
)
def test_names_and_folders_are_checked(world: World, run: str, folder: str | None, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        wired.learning().start("origination", run, by="operator-1", training_set=folder)
    assert caught.value.field == field


def test_without_labels_of_both_kinds_there_is_nothing_to_learn(world: World) -> None:
    prepared = wired.learning().prepare(RUN, "origination", None)
    assert (prepared.outcome, prepared.goods, prepared.bads) == ("nothing_to_learn", 0, 0)
    assert json.loads(wired.data().get(f"{PLACE}/champion.json"))["model_id"] == "origination"


def test_rows_that_are_given_need_no_labels(world: World) -> None:
    assert wired.learning().prepare(RUN, "origination", "training-sets/2026/").outcome == "prepared"


def test_a_candidate_that_passed_waits_for_a_person(world: World) -> None:
    ended([PASSED])
    proposed = wired.learning().propose(RUN, "origination", "training")
    version = wired.model_registry().get("origination", proposed.content_hash)
    assert (proposed.outcome, proposed.version, version.state) == ("proposed", "2.2.0", ModelState.PROPOSED)
    assert version.evidence["card"] == f"{PLACE}/card.html"
    assert wired.learning().propose(RUN, "origination", "training").content_hash == proposed.content_hash
    assert wired.model_registry().current("origination").champion == BASE["content_hash"]


def test_a_candidate_comes_after_what_was_proposed_meanwhile(world: World) -> None:
    between = assemble(BASE, {**{n: BASE[n] for n in ("calibration", "grades", "feature_schema")}, "scorecard": {
        **BASE["scorecard"], "cutoff": 602}})  # fmt: skip
    wired.model_registry().propose(between, maker="officer-1", kind=ModelKind.POLICY)
    ended([PASSED])
    first = wired.learning().propose(RUN, "origination", "training")
    assert (first.outcome, first.version) == ("proposed", "2.3.0")
    assert wired.learning().propose(RUN, "origination", "training") == first


def test_a_candidate_that_failed_names_its_gates(world: World) -> None:
    ended([PASSED, {**PASSED, "id": "label_jump", "passed": False}])
    proposed = wired.learning().propose(RUN, "origination", "training")
    assert (proposed.outcome, proposed.failed_gates) == ("gates_failed", ["label_jump"])


def test_the_watch_counts_each_day_once_and_keeps_its_report(world: World) -> None:
    world.to_assessed()
    world.clock.advance(86_400)
    report = wired.drift_watch().run("origination")
    assert (report.drift.decisions, report.drift.alarms, report.training_started) == (1, [], None)
    assert report.champion == BASE["content_hash"]
    assert wired.drift_watch().run("origination") == report
    assert wired.drift_watch().read("origination") == report
    assert wired.drift_watch().read("origination", report.day) == report


@dataclass
class Matured:
    """Loans that defaulted ten times as often as foretold."""

    def matured(self, _model_hash: str) -> Iterator[tuple[int, bool]]:
        return ((10_000, i < 60) for i in range(600))


def test_an_alarm_starts_one_run_a_month(world: World) -> None:
    log, registry = wired.decision_log(), wired.model_registry

    def of(model_id: str, content_hash: str) -> Artefact:
        return wired.champions()[model_id].of(content_hash)  # type: ignore[no-any-return]

    watch = DriftWatch(wired.data(), log, of, Matured(), registry, wired.learning, world.clock)  # type: ignore[arg-type]
    first = watch.run("origination")
    assert first.drift.alarms == ["calibration"]
    assert first.training_started == run_name("origination", "drift", first.day.isoformat())
    run = first.training_started
    assert watch.run("origination").training_started == run  # it still goes on
    world.steps.executions[run] = "SUCCEEDED"
    assert watch.run("origination").training_started is None
    assert list(world.steps.inputs) == [run]


def test_before_the_first_watch_there_is_nothing_to_read(world: World) -> None:
    with pytest.raises(NotFound):
        wired.drift_watch().read("origination")
