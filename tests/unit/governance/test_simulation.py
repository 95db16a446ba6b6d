"""A version tried on past decisions beside the champion (M06)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from creditmesh.decisions.model import Decision
from creditmesh.decisions.serving.queue import packed
from creditmesh.governance.rules import RuleChange
from creditmesh.governance.simulation import Simulation, Simulations, SimulationStore
from creditmesh.governance.statistics import RuleHits
from creditmesh.kernel.errors import InvalidInput, NotFound
from tests.support import wired
from tests.support.aws import table_name
from tests.support.decisions import decide
from tests.support.world import NOW, World

TODAY = NOW.date()
RULE: dict[str, Any] = {
    "id": "asks_much", "stage": "admission", "when": {">": [{"var": "requested_amount_minor"}, 50_000_000]},
    "if_unknown": "pass", "outcome": "refer", "priority": 50, "aspect": "ability", "effective_from": None,
    "effective_until": None, "reason_code": "HIGH_DEBT", "label": {"zh-CN": "申请金额大", "en": "Asks for much"},
}  # fmt: skip


def candidate(**changes: Any) -> str:
    """The hash of a proposed version whose rules are: rating D stops no longer, and much asked for is looked at."""
    change = RuleChange(add=[{**RULE, **changes}], remove=["tax_rating_d"], note="why")
    return wired.rule_workbench().propose("origination", change, maker="maria").content_hash


def simulated(content_hash: str, steps: int = 99, **changes: Any) -> Simulation:
    """A simulation over the last ten days, with time for so many steps beyond the first."""
    left = iter([True] * steps)
    given = {"since": TODAY - timedelta(days=9), "until": TODAY + timedelta(days=1), "limit": 100, "on": None,
             "by": "maria", **changes}  # fmt: skip
    simulations = in_steps()
    return simulations.run(simulations.start("origination", content_hash, **given), lambda: next(left, False))


def in_steps() -> Simulations:
    """Ten decisions a step."""
    store = SimulationStore(wired.tables(), table_name("Models"), wired.data())
    return Simulations(wired.model_registry(), wired.decision_log(), store, wired.clock(), step=10)


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def history() -> None:
    """Six decisions: three approved, one of them for much; two declined for their rating; one stopped by a list."""
    decide("sound-1", days_ago(1))
    decide("sound-2", days_ago(2))
    decide("much-1", days_ago(3), requested_amount_minor=60_000_000)
    decide("rated-d-1", days_ago(3), tax_credit_rating="D")
    decide("rated-d-2", days_ago(4), tax_credit_rating="D", tax_arrears_minor=900_000)
    decide("listed-1", days_ago(5), blacklist_hits=1)


def test_the_swap_set_hits_and_amounts_are_reported_side_by_side(world: World) -> None:
    history()
    found = simulated(candidate())
    assert (found.state, found.scored, found.refused, found.not_reproduced) == ("done", 6, [], [])
    assert found.champion.decisions == {"approve": 3, "decline": 3}
    assert found.changes["approve/refer"] == ["much-1"]
    (swapped,) = set(found.changes) - {"approve/refer"}
    assert found.changes[swapped] == ["rated-d-1"]
    assert found.rules["tax_rating_d"].champion == RuleHits(tried=5, fired=2, decided=2)
    assert found.rules["tax_rating_d"].candidate is None
    assert found.rules["asks_much"].champion is None
    assert found.rules["asks_much"].candidate == RuleHits(tried=5, fired=1, decided=1)
    one = found.champion.approved_minor // 3
    assert found.champion.approved_minor == 3 * one > 0
    assert found.candidate.referred_minor >= one
    assert found.candidate.stages["admission"] == 1
    assert found.candidate.version == "2.2.0"


def test_it_is_kept_with_the_version_as_evidence(world: World) -> None:
    history()
    version = candidate()
    found = simulated(version)
    assert wired.simulations().get("origination", version, found.simulation_id) == found
    (summary,) = wired.simulations().of_version("origination", version)
    assert (summary.simulation_id, summary.scored, summary.state) == (found.simulation_id, 6, "done")
    assert summary.changes == dict.fromkeys(found.changes, 1)
    assert wired.data().get_json(summary.key)["simulation_id"] == found.simulation_id
    assert wired.simulations().of_version("origination", found.champion.content_hash) == []
    with pytest.raises(NotFound):
        wired.simulations().get("origination", found.champion.content_hash, found.simulation_id)


def test_it_goes_on_where_it_stopped_and_counts_nothing_twice(world: World) -> None:
    for number in range(40):
        decide(f"app-{number:03}", days_ago(number % 5), tax_credit_rating="D" if number % 3 == 0 else "B")
    version = candidate()
    whole = simulated(version, limit=10_000)
    assert whole.scored == 40
    begun = simulated(version, steps=0, limit=10_000)
    assert (begun.state, 0 < begun.scored < 40) == ("running", True)
    simulations = in_steps()
    simulations.run(begun, lambda: False)  # two take it up at once: both come to the same
    stopped = simulations.run(begun, lambda: False)
    assert stopped.scored > begun.scored
    done = simulations.run(simulations.get("origination", version, begun.simulation_id), lambda: True)
    assert simulations.run(done, lambda: True) == done
    same = {"champion", "candidate", "scored", "rules", "changes", "refused", "not_reproduced"}
    assert done.model_dump(include=same) == whole.model_dump(include=same)
    assert sorted(sum(done.changes.values(), [])) == [f"app-{number:03}" for number in range(0, 40, 3)]


def test_the_limit_takes_the_newest(world: World) -> None:
    for days in range(5):
        decide(f"app-{days}", days_ago(days), tax_credit_rating="D")
    found = simulated(candidate(), limit=2)
    assert (found.scored, sum(found.changes.values(), [])) == (2, ["app-0", "app-1"])


def test_only_the_days_asked_for_are_looked_at(world: World) -> None:
    history()
    found = simulated(candidate(), since=days_ago(3), until=days_ago(2))
    assert found.scored == 2
    with pytest.raises(InvalidInput, match="after from"):
        simulated(candidate(), since=TODAY, until=TODAY)
    with pytest.raises(InvalidInput, match="1 to"):
        simulated(candidate(), limit=0)


def test_a_rule_of_tomorrow_shows_its_effect_if_tomorrow_is_assumed(world: World) -> None:
    history()
    version = candidate(effective_from=(TODAY + timedelta(days=1)).isoformat())
    assert "approve/refer" not in simulated(version).changes
    assert simulated(version, on=TODAY + timedelta(days=1)).changes["approve/refer"] == ["much-1"]


def test_key_data_that_a_version_does_not_take_is_told(world: World) -> None:
    decision = decide("sound-1", days_ago(1))
    spoilt = {**vars(decision), "application_id": "odd-1", "features": packed('{"fraud_score": "high"}')}
    wired.decision_log().add(Decision(**spoilt))
    found = simulated(candidate())
    assert (found.scored, found.refused) == (1, ["odd-1"])


def test_a_decision_that_the_champion_would_not_make_again_is_told(world: World) -> None:
    decision = decide("sound-1", days_ago(1))
    odd = {**vars(decision), "application_id": "odd-1", "limit_minor": 1}
    wired.decision_log().add(Decision(**odd))
    assert simulated(candidate()).not_reproduced == ["odd-1"]
