"""Labels accumulate from what is seen of loans; nothing is overwritten, nothing counted twice (M08)."""

from __future__ import annotations

import json
from datetime import date

import pytest

from creditmesh.governance.outcomes import LabelValue, Observation
from creditmesh.kernel.errors import InvalidInput
from tests.support import wired
from tests.support.world import DISBURSEMENT, NOW, World

YEAR_LATER = date(NOW.year + 1, NOW.month, NOW.day)


def disbursed(world: World) -> str:
    world.to_ordered()
    assert world.say("loan.disbursed", "w-3", **DISBURSEMENT)
    return world.application_id


def seen(world: World, until: date, days: int = 0, **more: object) -> Observation:
    given = {"application_id": world.application_id, "days_past_due": days, "observed_until": until, **more}
    return Observation.model_validate(given)


def later(world: World, days: int) -> None:
    world.clock.advance(days * 86_400)


def test_a_label_knows_its_decision(world: World) -> None:
    disbursed(world)
    later(world, 400)
    label = wired.labels().record(seen(world, YEAR_LATER), "operator-1")
    report = wired.assessment().report(world.application())
    assert (label.value, label.decided_on.isoformat()) == (LabelValue.GOOD, report["rules_of"])
    assert (label.model_hash, label.pd_ppm) == (report["result"]["model_hash"], report["result"]["pd_ppm"])
    assert wired.labels().get(world.application_id) == label
    assert wired.labels().counts(label.decided_month) == {"good": 1, "bad": 0, "indeterminate": 0}


def test_the_same_observation_again_changes_nothing(world: World) -> None:
    disbursed(world)
    later(world, 400)
    first = wired.labels().record(seen(world, YEAR_LATER), "operator-1")
    later(world, 1)
    assert wired.labels().record(seen(world, YEAR_LATER), "operator-2") == first
    assert wired.labels().record(seen(world, YEAR_LATER), "operator-2").revision == 1


def test_an_earlier_label_stays_in_the_history(world: World) -> None:
    application_id = disbursed(world)
    later(world, 500)
    labels = wired.labels()
    labels.record(seen(world, date(YEAR_LATER.year, 1, 5), 95), "servicing")
    healed = labels.record(seen(world, YEAR_LATER, 10), "operator-1")
    assert (healed.revision, healed.value, healed.changed) == (2, LabelValue.GOOD, True)
    stored = next(item for item in world.items("OutcomeLabels") if item["application_id"] == application_id)
    assert [(line["revision"], line["value"]) for line in stored["history"]] == [(1, "bad")]
    line = json.loads(next(labels.export()))
    assert (line["bad"], line["label_changed"], line["label_source"]) == (0, True, "servicing")
    assert list(labels.matured(healed.model_hash)) == [(healed.pd_ppm, False)]
    assert list(labels.matured("sha256:other")) == []


def test_what_is_not_settled_teaches_nothing(world: World) -> None:
    disbursed(world)
    later(world, 100)
    label = wired.labels().record(seen(world, world.clock.now().date(), 45), "servicing")
    assert label.value is LabelValue.INDETERMINATE
    assert list(wired.labels().export()) == []


@pytest.mark.parametrize("days", [-1, 100_000])
def test_observations_lie_between_the_decision_and_today(world: World, days: int) -> None:
    disbursed(world)
    later(world, 10)
    until = date.fromordinal(NOW.date().toordinal() + days)
    with pytest.raises(InvalidInput) as caught:
        wired.labels().record(seen(world, until), "servicing")
    assert caught.value.field == "observed_until"


def test_only_a_disbursed_loan_has_an_outcome(world: World) -> None:
    world.to_assessed()
    with pytest.raises(InvalidInput) as caught:
        wired.labels().record(seen(world, NOW.date()), "servicing")
    assert caught.value.field == "application_id"
