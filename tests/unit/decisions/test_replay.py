"""Decisions are reported and replayed by the model that made them (S10)."""

from __future__ import annotations

import io
import json

import pytest

from creditmesh.decisions.replay import ModelGone
from creditmesh.governance.model import ModelKind
from creditmesh.platform.settings import settings
from creditmesh.risk.errors import ArtefactInvalid
from tests.support import wired
from tests.support.candidates import SHIPPED, candidate, hash_of, stricter
from tests.support.world import World

MODEL = "origination"


def promote(version: str = "2.2.0") -> str:
    """Put a model in force that declines everybody."""
    registry = wired.model_registry()
    document = candidate(version, stricter)
    content_hash = registry.propose(document, maker="ann", kind=ModelKind.POLICY).content_hash
    registry.approve(MODEL, content_hash, checker="bob")
    registry.propose_promotion(MODEL, content_hash, maker="bob")
    registry.confirm_promotion(MODEL, content_hash, checker="cid")
    return hash_of(document)


def test_a_promotion_between_score_and_report_changes_nothing(world: World) -> None:
    world.to_collected()
    wired.assessment().score_in_process(world.application_id)
    promote()
    world.clock.advance(10)
    summary = wired.assessment().decide(world.application_id)
    assert (summary.decision, summary.model_version) == ("approve", "2.1.0")
    assert summary.model_hash == SHIPPED["content_hash"]
    assert wired.champions()["origination"]().version == "2.2.0"
    assert wired.assessment().replay(world.application()).equal


def test_the_next_decision_is_the_new_models_within_seconds(world: World) -> None:
    assert wired.champions()["origination"]().version == "2.1.0"
    content_hash = promote()
    assert wired.champions()["origination"]().version == "2.1.0"
    world.clock.advance(5)
    world.to_assessed()
    risk = world.application().risk
    assert risk is not None
    assert (risk.decision, risk.model_version, risk.model_hash) == ("decline", "2.2.0", content_hash)
    wired.model_registry().rollback(MODEL, by="dan", reason="declines everybody")
    world.clock.advance(5)
    assert wired.champions()["origination"]().version == "2.1.0"
    replayed = wired.assessment().replay(world.application())
    assert (replayed.equal, replayed.model_hash, replayed.differences) == (True, content_hash, {})


def test_a_replay_tells_what_differs(world: World) -> None:
    world.to_assessed()
    application = world.application()
    report = wired.assessment().report(application)
    report["features"]["debt_ratio_bps"] = 9_999
    report["result"]["limit_minor"] = 1
    assert application.report_key is not None
    wired.data().put_json(application.report_key, report)
    replayed = wired.assessment().replay(application)
    assert not replayed.equal
    assert replayed.differences["limit_minor"]["recorded"] == 1


def test_no_replay_without_the_model_as_it_was(world: World) -> None:
    promote()
    world.to_assessed()
    risk = world.application().risk
    assert risk is not None
    assert risk.model_hash is not None
    wired.artefacts().put_json(f"models/{MODEL}/{risk.model_hash.removeprefix('sha256:')}.json", candidate())
    wired.forget("champions")
    wired.forget("assessment")
    with pytest.raises(ModelGone, match=risk.model_hash):
        wired.assessment().replay(world.application())


def test_a_bad_champion_leaves_the_last_good_one_in_force(world: World, log_output: io.StringIO) -> None:
    assert wired.champions()["origination"]().version == "2.1.0"
    content_hash = promote()
    stored = json.loads(wired.model_registry().text_of(MODEL, content_hash))
    del stored["signature"]
    wired.artefacts().put_json(f"models/{MODEL}/{content_hash.removeprefix('sha256:')}.json", stored)
    for _ in range(3):
        world.clock.advance(5)
        assert wired.champions()["origination"]().version == "2.1.0"
    lines = log_output.getvalue().splitlines()
    (line,) = {line for line in lines if "model_refused" in line}  # the log is captured twice
    assert content_hash in line
    assert "unsigned" in line
    wired.forget("champions")
    assert wired.champions()["origination"]().version == "2.1.0"  # a new process takes the one before
    wired.model_registry().rollback(MODEL, by="dan", reason="damaged")


def test_without_any_good_model_nothing_is_decided(world: World) -> None:
    unsigned = {name: value for name, value in SHIPPED.items() if name != "signature"}
    key = settings().shipped_models[0]
    kept = wired.artefacts().get(key)
    wired.artefacts().put_json(key, unsigned)
    try:
        with pytest.raises(ArtefactInvalid):
            wired.champions()["origination"]()
    finally:
        wired.artefacts().put(key, kept, "application/json")


def test_what_a_source_could_not_tell_reaches_the_decision_and_its_replay(world: World) -> None:
    """F1: from key data through the request to report, log and replay."""
    world.to_collected()
    store = wired.key_data()
    document = store.get(world.application().key_data_key)
    features, unread = {**document.features, "taxpayer_status": None}, "taxpayer_status:tax"
    store.put(document.model_copy(update={"features": features, "unread": unread}))
    wired.assessment().score_in_process(world.application_id)
    summary = wired.assessment().decide(world.application_id)
    assert (summary.decision, summary.stage, summary.reasons) == ("refer", "referred", ["DATA_NOT_AVAILABLE"])
    report = wired.assessment().report(world.application())
    assert report["reasons"][0]["parameters"] == {"features": ["taxpayer_status"], "sources": ["tax"]}
    assert wired.assessment().replay(world.application()).equal
    (logged,) = wired.decision_log().of_day(MODEL, world.clock.today())
    assert set(logged.decided_rules) == {"taxpayer_not_normal", "key_data_incomplete"}
    assert logged.inputs()["unread"] == unread


def test_a_decision_of_an_earlier_release_is_replayed_without_a_difference(world: World) -> None:
    world.to_assessed()
    key = world.application().report_key
    assert key is not None
    report = wired.assessment().report(world.application())
    del report["result"]["unread_rules"], report["unread_rules"]
    wired.data().put_json(key, report)
    assert wired.assessment().replay(world.application()).equal
