"""Whatever officers do in whatever order, what decides was signed and checked by two (M08, S10)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from creditmesh.governance.model import Gate, GateReport, ModelKind, ModelState
from creditmesh.governance.registry import ModelRegistry
from creditmesh.kernel.errors import DomainError
from tests.support import wired
from tests.support.aws import Stack
from tests.support.candidates import SHIPPED, candidate
from tests.support.world import running

MODEL = "origination"
PEOPLE = ("ann", "bob")
ACTS = ("propose", "gates", "approve", "reject", "challenge", "withdraw", "ask", "confirm", "rollback", "whole way")
steps = st.lists(
    st.tuples(st.sampled_from(ACTS), st.sampled_from(PEOPLE), st.integers(1, 3), st.booleans()),
    min_size=8,
    max_size=20,
)


def whole_way(registry: ModelRegistry, confirming: str, number: int) -> None:
    """All acts that lead to a promotion, as far as they are allowed; chance alone would seldom find that order."""
    for what, who in (
        ("propose", "ann"),
        ("gates", "ann"),
        ("approve", "bob"),
        ("ask", "bob"),
        ("confirm", confirming),
    ):
        with suppress(DomainError):
            act(registry, what, who, number, True)


def act(registry: ModelRegistry, what: str, who: str, number: int, good: bool) -> None:
    """One officer does one thing to version 2.<number>.0; odd versions come from training."""
    document = candidate(f"2.{number}.0")
    content_hash = str(document["content_hash"])
    kind = ModelKind.TRAINING if number % 2 else ModelKind.RULES
    report = GateReport(passed=good, gates=[Gate(id="auc", passed=good)], made_at="2026-11-22")
    {
        "propose": lambda: registry.propose(document, maker=who, kind=kind),
        "gates": lambda: registry.attach_gates(MODEL, content_hash, report),
        "approve": lambda: registry.approve(MODEL, content_hash, checker=who),
        "reject": lambda: registry.reject(MODEL, content_hash, checker=who, note="no") if good else None,
        "challenge": lambda: registry.challenge(MODEL, content_hash, by=who),
        "withdraw": lambda: registry.withdraw_challenger(MODEL, by=who),
        "ask": lambda: registry.propose_promotion(MODEL, content_hash, maker=who),
        "confirm": lambda: registry.confirm_promotion(MODEL, content_hash, checker=who),
        "whole way": lambda: whole_way(registry, who, number),
        "rollback": lambda: registry.rollback(MODEL, by=who, reason="why not"),
    }[what]()


def hold(registry: ModelRegistry) -> None:
    """What must be true after every act."""
    current, versions = registry.current(MODEL), {one.content_hash: one for one in registry.list(MODEL)}
    champions = [one for one in versions.values() if one.state is ModelState.CHAMPION]
    assert [one.content_hash for one in champions] == [current.champion]
    assert wired.stored_models()["origination"].load(current.champion).content_hash == current.champion
    for version in versions.values():
        if version.content_hash == SHIPPED["content_hash"] or version.state in ("proposed", "rejected"):
            continue
        assert version.checker not in (None, version.maker)
        assert version.kind is not ModelKind.TRAINING or (version.gates and version.gates.passed)
    if current.challenger is not None:
        assert versions[current.challenger].state is ModelState.APPROVED
    if current.previous is not None:
        assert versions[current.previous].state is ModelState.RETIRED
    promotions = [line for one in versions.values() for line in one.history if line.what == "promoted"]
    assert all(line.parameters["proposed_by"] != line.by for line in promotions)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=steps)
def test_what_decides_was_signed_and_checked_by_two(aws_stack: Stack, steps: list[tuple[str, str, int, bool]]) -> None:
    aws_stack.empty()
    with pytest.MonkeyPatch.context() as patch, running(aws_stack, patch):
        registry = wired.model_registry()
        for step in steps:
            before = registry.current(MODEL)
            with suppress(DomainError):
                act(registry, *step)
            after = registry.current(MODEL)
            assert after.revision - before.revision in (0, 1, 2)  # 2: the first proposal adopts the shipped model
            hold(registry)
