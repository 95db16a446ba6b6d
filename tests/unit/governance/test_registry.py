"""Versions of a model: who may do what when, and what is refused (M06, M08, S10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from creditmesh.decisions.serving.model_signature import kms_sign, signed
from creditmesh.governance.model import (
    Gate,
    GateReport,
    GatesFailed,
    ModelKind,
    ModelRefused,
    ModelState,
    ModelVersion,
    Outdated,
    TestsFailed,
    UnknownVersion,
    WrongState,
    precedence,
)
from creditmesh.governance.registry import ModelRegistry
from creditmesh.governance.store import Act, ModelStore
from creditmesh.kernel.errors import DomainError, InvalidInput, SamePerson
from creditmesh.platform.settings import settings
from creditmesh.risk.errors import ArtefactInvalid
from tests.support import wired
from tests.support.candidates import SHIPPED, candidate, failing_test, stricter
from tests.support.world import World

MODEL, SHIPPED_HASH = "origination", SHIPPED["content_hash"]
PASSED = GateReport(passed=True, gates=[Gate(id="auc", passed=True, value=0.79, threshold=0.75)], made_at="2026-11-22")


@pytest.fixture
def registry(world: World) -> ModelRegistry:
    return wired.model_registry()


def propose(registry: ModelRegistry, version: str = "2.2.0", **more: Any) -> str:
    """The hash of a version proposed by Ann."""
    change = more.pop("change", None)
    given = {"maker": "ann", "kind": ModelKind.RULES, **more}
    return registry.propose(candidate(version, change), **given).content_hash


def approve(registry: ModelRegistry, version: str = "2.2.0", **more: Any) -> str:
    """The hash of a version approved by Bob."""
    content_hash = propose(registry, version, **more)
    registry.approve(MODEL, content_hash, checker="bob")
    return content_hash


def promote(registry: ModelRegistry, version: str = "2.2.0", **more: Any) -> str:
    """The hash of a version promoted by Bob and Cid."""
    content_hash = approve(registry, version, **more)
    registry.propose_promotion(MODEL, content_hash, maker="bob")
    registry.confirm_promotion(MODEL, content_hash, checker="cid")
    return content_hash


def overwrite(content_hash: str, document: dict[str, Any]) -> None:
    """Somebody writes into the bucket."""
    wired.artefacts().put_json(f"models/{MODEL}/{content_hash.removeprefix('sha256:')}.json", document)


def test_the_shipped_model_decides_at_first(registry: ModelRegistry) -> None:
    current = registry.current(MODEL)
    assert (current.champion, current.previous, current.challenger, current.revision) == (SHIPPED_HASH, None, None, 0)
    (version,) = registry.list(MODEL)
    assert (version.state, version.kind, version.maker) == (ModelState.CHAMPION, ModelKind.SHIPPED, "deployment")
    assert registry.get(MODEL, SHIPPED_HASH).version == "2.1.0"
    assert json.loads(registry.champion_text(MODEL))["content_hash"] == SHIPPED_HASH


def test_a_proposal_keeps_document_tests_and_history(registry: ModelRegistry) -> None:
    version = registry.propose(
        candidate(), maker="ann", kind=ModelKind.RULES, note="why", evidence={"auc": 0.79, "by": {"year": [1, None]}}
    )
    assert registry.get(MODEL, version.content_hash) == version
    assert (version.state, version.version, version.maker, version.revision) == ("proposed", "2.2.0", "ann", 1)
    assert version.evidence == {"auc": 0.79, "by": {"year": [1, None]}}
    assert version.tests
    assert version.tests_passed
    assert [(line.by, line.what, line.note) for line in version.history] == [("ann", "proposed", "why")]
    assert json.loads(registry.text_of(MODEL, version.content_hash)) == candidate()
    assert [one.version for one in registry.list(MODEL)] == ["2.2.0", "2.1.0"]
    assert registry.current(MODEL).champion == SHIPPED_HASH
    assert registry.current(MODEL).revision == 1


def test_the_same_content_again_is_the_version_there_is(registry: ModelRegistry) -> None:
    first = registry.propose(candidate(), maker="ann", kind=ModelKind.RULES)
    again = registry.propose({**candidate(), "signature": {"bad": 1}}, maker="eve", kind=ModelKind.TRAINING)
    assert again == first


@pytest.mark.parametrize(
    ("document", "field", "rule"),
    [
        pytest.param(candidate("2.1.0", stricter), "document.version", "higher than 2.1.0", id="same number"),
        pytest.param(candidate("1.9.9"), "document.version", "higher than 2.1.0", id="lower"),
        pytest.param(candidate("2.1.0-rc.1"), "document.version", "higher than 2.1.0", id="before the release"),
        pytest.param({**candidate(), "version": "2.2.1"}, "document.content_hash", "hash", id="altered"),
        pytest.param(
            candidate(change=lambda document: document["scorecard"].update(cutoff="x")),
            "document.scorecard.cutoff",
            "integer",
            id="a rule of the format",
        ),
        pytest.param(
            candidate(change=lambda document: document.update(model_id="other")), "document.model_id", "", id="other"
        ),
    ],
)
def test_a_bad_proposal_is_told_where(registry: ModelRegistry, document: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(DomainError) as caught:
        registry.propose(document, maker="ann", kind=ModelKind.RULES)
    assert caught.value.field == field
    assert rule in caught.value.message


def test_nobody_proposes_a_shipped_one(registry: ModelRegistry) -> None:
    with pytest.raises(InvalidInput) as caught:
        propose(registry, kind=ModelKind.SHIPPED)
    assert caught.value.field == "kind"


def test_approval_signs(registry: ModelRegistry) -> None:
    content_hash = propose(registry)
    with pytest.raises(ArtefactInvalid, match="unsigned"):
        wired.stored_models()["origination"].load(content_hash)
    version = registry.approve(MODEL, content_hash, checker="bob", note="fine")
    assert (version.state, version.checker) == ("approved", "bob")
    assert wired.stored_models()["origination"].load(content_hash).version == "2.2.0"
    assert registry.current(MODEL).champion == SHIPPED_HASH


def test_approval_again_repairs_the_document(registry: ModelRegistry) -> None:
    content_hash = approve(registry)
    overwrite(content_hash, candidate())
    registry.approve(MODEL, content_hash, checker="bob")
    assert wired.stored_models()["origination"].load(content_hash).version == "2.2.0"
    assert len(registry.get(MODEL, content_hash).history) == 2
    with pytest.raises(WrongState):
        registry.approve(MODEL, content_hash, checker="cid")


def test_the_maker_does_not_check(registry: ModelRegistry) -> None:
    content_hash = propose(registry)
    with pytest.raises(SamePerson):
        registry.approve(MODEL, content_hash, checker="ann")
    approved = approve(registry, "2.3.0")
    registry.propose_promotion(MODEL, approved, maker="bob")
    with pytest.raises(SamePerson):
        registry.confirm_promotion(MODEL, approved, checker="bob")


def test_failing_tests_hold_a_version_back(registry: ModelRegistry) -> None:
    version = registry.propose(candidate(change=failing_test), maker="ann", kind=ModelKind.POLICY)
    assert not version.tests_passed
    assert version.tests[0].differences["score"]["expected"] == -1
    with pytest.raises(TestsFailed, match=version.tests[0].name):
        registry.approve(MODEL, version.content_hash, checker="bob")


def test_training_needs_its_gates(registry: ModelRegistry) -> None:
    content_hash = propose(registry, kind=ModelKind.TRAINING)
    with pytest.raises(GatesFailed, match="needs a report"):
        registry.approve(MODEL, content_hash, checker="bob")
    failed = Gate(id="psi", passed=False, value=3_000, threshold=2_500)
    registry.attach_gates(MODEL, content_hash, GateReport(passed=False, gates=[*PASSED.gates, failed], made_at="x"))
    with pytest.raises(GatesFailed, match="psi"):
        registry.approve(MODEL, content_hash, checker="bob")
    registry.attach_gates(MODEL, content_hash, PASSED)
    approved = registry.approve(MODEL, content_hash, checker="bob")
    assert approved.gates == PASSED
    assert [line.what for line in approved.history] == ["proposed", "gates_failed", "gates_passed", "approved"]
    with pytest.raises(WrongState):
        registry.attach_gates(MODEL, content_hash, PASSED)


@pytest.mark.parametrize("gates", [[], [Gate(id="auc", passed=False)]])
def test_a_report_of_gates_must_not_contradict_itself(registry: ModelRegistry, gates: list[Gate]) -> None:
    content_hash = propose(registry, kind=ModelKind.TRAINING)
    with pytest.raises(InvalidInput):
        registry.attach_gates(MODEL, content_hash, GateReport(passed=True, gates=gates, made_at="x"))


def test_a_rejected_version_is_done_with(registry: ModelRegistry) -> None:
    content_hash = propose(registry)
    with pytest.raises(InvalidInput):
        registry.reject(MODEL, content_hash, checker="bob", note=" ")
    assert registry.reject(MODEL, content_hash, checker="bob", note="too strict").state == "rejected"
    for act in (
        lambda: registry.approve(MODEL, content_hash, checker="bob"),
        lambda: registry.challenge(MODEL, content_hash, by="bob"),
        lambda: registry.propose_promotion(MODEL, content_hash, maker="bob"),
        lambda: registry.confirm_promotion(MODEL, content_hash, checker="cid"),
        lambda: registry.reject(MODEL, content_hash, checker="bob", note="again"),
    ):
        with pytest.raises(WrongState):
            act()


def test_promotion_takes_two_and_names_both(registry: ModelRegistry) -> None:
    content_hash = approve(registry)
    with pytest.raises(WrongState, match="was not proposed"):
        registry.confirm_promotion(MODEL, content_hash, checker="cid")
    first = registry.propose_promotion(MODEL, content_hash, maker="bob")
    assert registry.propose_promotion(MODEL, content_hash, maker="bob") == first
    with pytest.raises(WrongState, match="already proposed by bob"):
        registry.propose_promotion(MODEL, content_hash, maker="ann")
    current = registry.confirm_promotion(MODEL, content_hash, checker="cid")
    assert (current.champion, current.previous, current.revision) == (content_hash, SHIPPED_HASH, 2)
    assert registry.confirm_promotion(MODEL, content_hash, checker="cid") == current
    version = registry.get(MODEL, content_hash)
    assert (version.state, version.replaced, version.promotion) == ("champion", SHIPPED_HASH, None)
    assert (version.history[-1].by, version.history[-1].parameters) == ("cid", {"proposed_by": "bob"})
    assert registry.get(MODEL, SHIPPED_HASH).state == "retired"


def test_a_promotion_proposed_against_an_earlier_champion_lapses(registry: ModelRegistry) -> None:
    first, second = approve(registry, "2.2.0"), approve(registry, "2.3.0")
    for content_hash in (first, second):
        registry.propose_promotion(MODEL, content_hash, maker="bob")
    registry.confirm_promotion(MODEL, second, checker="cid")
    with pytest.raises(WrongState, match="propose it again"):
        registry.confirm_promotion(MODEL, first, checker="cid")
    registry.propose_promotion(MODEL, first, maker="ann")
    assert registry.confirm_promotion(MODEL, first, checker="cid").previous == second


def test_challenger_and_its_end(registry: ModelRegistry) -> None:
    first, second = approve(registry, "2.2.0"), approve(registry, "2.3.0")
    assert registry.challenge(MODEL, first, by="bob").challenger == first
    assert registry.challenge(MODEL, first, by="bob").revision == 2
    assert registry.challenge(MODEL, second, by="bob").challenger == second
    assert [line.what for line in registry.get(MODEL, first).history][-2:] == ["challenged", "challenge_ended"]
    assert registry.withdraw_challenger(MODEL, by="bob").challenger is None
    revision = registry.current(MODEL).revision
    assert registry.withdraw_challenger(MODEL, by="bob").revision == revision
    registry.challenge(MODEL, second, by="bob")
    registry.propose_promotion(MODEL, second, maker="ann")
    assert registry.confirm_promotion(MODEL, second, checker="bob").challenger is None


def test_a_proposed_version_neither_challenges_nor_is_promoted(registry: ModelRegistry) -> None:
    content_hash = propose(registry)
    with pytest.raises(WrongState):
        registry.challenge(MODEL, content_hash, by="bob")
    with pytest.raises(WrongState):
        registry.propose_promotion(MODEL, content_hash, maker="bob")


def test_rollback_in_one_call_and_further_back(registry: ModelRegistry) -> None:
    with pytest.raises(WrongState, match="no previous champion"):
        registry.rollback(MODEL, by="dan", reason="bad")
    first, second = promote(registry, "2.2.0"), promote(registry, "2.3.0", change=stricter)
    with pytest.raises(InvalidInput):
        registry.rollback(MODEL, by="dan", reason="")
    current = registry.rollback(MODEL, by="dan", reason="declines everybody")
    assert (current.champion, current.previous) == (first, SHIPPED_HASH)
    assert registry.get(MODEL, second).state == "retired"
    assert registry.get(MODEL, second).history[-1].note == "declines everybody"
    assert registry.rollback(MODEL, by="dan", reason="again").champion == SHIPPED_HASH
    with pytest.raises(WrongState):
        registry.rollback(MODEL, by="dan", reason="again")
    with pytest.raises(WrongState):
        registry.propose_promotion(MODEL, second, maker="bob")


def test_unknown_versions_and_models(registry: ModelRegistry) -> None:
    unknown = "sha256:" + "0" * 64
    for act in (
        lambda: registry.get(MODEL, unknown),
        lambda: registry.get(MODEL, "no-hash"),
        lambda: registry.approve(MODEL, unknown, checker="bob"),
        lambda: registry.challenge(MODEL, unknown, by="bob"),
        lambda: registry.list("other"),
        lambda: registry.current("other"),
    ):
        with pytest.raises(UnknownVersion):
            act()


def altered(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "version": "9.9.9"}


def another(document: dict[str, Any]) -> dict[str, Any]:
    return signed(candidate("3.0.0"), kms_sign(wired.client("kms"), settings().model_signing_key))


def unsigned(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "signature"}


def by_another_key(document: dict[str, Any]) -> dict[str, Any]:
    kms = wired.client("kms")
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    return signed(unsigned(document), kms_sign(kms, key))


def forged(document: dict[str, Any]) -> dict[str, Any]:
    other = kms_sign(wired.client("kms"), settings().model_signing_key)("sha256:" + "0" * 64)
    return {**document, "signature": other}


@pytest.mark.parametrize("tampered", [altered, another, unsigned, by_another_key, forged])
def test_what_would_not_decide_is_not_put_in_force(
    registry: ModelRegistry, tampered: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    content_hash = approve(registry)
    registry.propose_promotion(MODEL, content_hash, maker="bob")
    document = json.loads(registry.text_of(MODEL, content_hash))
    overwrite(content_hash, tampered(document))
    for act in (
        lambda: registry.confirm_promotion(MODEL, content_hash, checker="cid"),
        lambda: registry.challenge(MODEL, content_hash, by="bob"),
    ):
        with pytest.raises(ModelRefused):
            act()
    assert registry.current(MODEL).champion == SHIPPED_HASH
    assert registry.get(MODEL, content_hash).state == "approved"


def test_what_was_altered_before_its_approval_is_not_signed(registry: ModelRegistry) -> None:
    content_hash = propose(registry)
    overwrite(content_hash, candidate("3.0.0", stricter))
    with pytest.raises(ModelRefused):
        registry.approve(MODEL, content_hash, checker="bob")
    assert registry.get(MODEL, content_hash).state == "proposed"


class Overtaken(ModelStore):
    """Somebody else is quicker between reading and writing, once."""

    overtake: Callable[[], object] | None = None

    def _first(self) -> None:
        act, self.overtake = self.overtake, None
        if act:
            act()

    def change(self, act: Act, by: str) -> ModelVersion:
        self._first()
        return super().change(act, by)

    def point(self, *args: Any, **pointer: Any) -> Any:
        self._first()
        return super().point(*args, **pointer)

    def add(self, version: ModelVersion, after: str | None) -> None:
        self._first()
        super().add(version, after)


@pytest.fixture
def overtaken(world: World) -> tuple[Overtaken, ModelRegistry]:
    own = settings()
    store = Overtaken(wired.tables(), own.models_table, wired.artefacts(), wired.clock())
    sign = kms_sign(wired.client("kms"), own.model_signing_key)
    return store, ModelRegistry(store, wired.stored_models(), sign, lambda _: [], wired.clock())


def test_of_two_at_a_time_one_wins(registry: ModelRegistry, overtaken: tuple[Overtaken, ModelRegistry]) -> None:
    store, late = overtaken
    first, second = approve(registry, "2.2.0"), approve(registry, "2.3.0")
    for content_hash in (first, second):
        registry.propose_promotion(MODEL, content_hash, maker="bob")
    store.overtake = lambda: registry.confirm_promotion(MODEL, second, checker="cid")
    with pytest.raises(Outdated):
        late.confirm_promotion(MODEL, first, checker="dan")
    assert registry.current(MODEL).champion == second
    assert registry.get(MODEL, first).state == "approved"
    proposed = propose(registry, "2.4.0")
    store.overtake = lambda: registry.reject(MODEL, proposed, checker="cid", note="no")
    with pytest.raises(Outdated):
        late.approve(MODEL, proposed, checker="bob")
    assert registry.get(MODEL, proposed).state == "rejected"
    assert "signature" not in json.loads(registry.text_of(MODEL, proposed))
    store.overtake = lambda: propose(registry, "2.6.0")
    with pytest.raises(Outdated):
        propose(late, "2.5.0", change=stricter)


def test_versions_stand_in_the_order_of_semantic_versions() -> None:
    order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"]
    order += ["1.0.1", "1.9.0", "1.10.0", "2.1.0"]
    assert sorted([*order[5:], *order[:5]], key=precedence) == order
