"""Firms of one legal representative: together they owe no more than the largest limit among them (S11, rule 6)."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import Any

import pytest

from creditmesh.intake.names import representative_key
from creditmesh.offers.exposure import Borrower, Commitment, Exposures, LimitExhausted
from creditmesh.platform.tables import ConditionFailed, again
from institutions.registry_figures import registry_data
from institutions.registry_figures import representative_key as number_of
from tests.support import wired
from tests.support.world import FIRM, REGISTRY, World
from tests.unit.offers.test_exposure import NEWER_KEY
from tests.unit.offers.test_offering import another, used

PERSON = "P000123000456"
BIG, SMALL, ALONE = Borrower("firm-big", PERSON), Borrower("firm-small", PERSON), Borrower("firm-alone")
LIMITS = {BIG: 1_000_00, SMALL: 300_00, ALONE: 300_00}


@pytest.fixture
def exposures(world: World) -> Exposures:
    assert world.items("Exposures") == []
    return wired.exposures()


def choice(name: str, borrower: Borrower, amount: int, limit: int | None = None) -> Commitment:
    return Commitment(name, borrower, amount, LIMITS[borrower] if limit is None else limit, {})


def commit(exposures: Exposures, one: Commitment) -> None:
    try:
        wired.tables().transact(exposures.committing(one), one.application_id)
    except ConditionFailed:
        exposures.refused(one)
        raise


def left(exposures: Exposures, borrower: Borrower) -> int:
    return exposures.available(borrower, LIMITS[borrower])


def test_a_group_owes_no_more_than_its_largest_limit(exposures: Exposures) -> None:
    commit(exposures, choice("a", BIG, 600_00))
    assert (left(exposures, BIG), left(exposures, SMALL), left(exposures, ALONE)) == (400_00, 300_00, 300_00)
    commit(exposures, choice("b", SMALL, 250_00))
    assert (left(exposures, BIG), left(exposures, SMALL)) == (150_00, 50_00)
    with pytest.raises(LimitExhausted) as refused:
        commit(exposures, choice("c", BIG, 150_01))
    assert refused.value.parameters == {"left": "150.00"}
    commit(exposures, choice("c", BIG, 150_00))
    assert (left(exposures, BIG), left(exposures, SMALL), left(exposures, ALONE)) == (0, 0, 300_00)
    exposures.settle("a", None)
    assert (left(exposures, BIG), left(exposures, SMALL)) == (600_00, 50_00)
    exposures.settle("b", 200_00)
    assert (left(exposures, BIG), left(exposures, SMALL)) == (650_00, 100_00)


def test_the_newer_limit_of_a_firm_counts(exposures: Exposures) -> None:
    commit(exposures, choice("a", BIG, 100_00))
    commit(exposures, choice("b", BIG, 100_00, limit=400_00))
    assert left(exposures, SMALL) == 200_00, "of 400.00, 200.00 are used"
    assert exposures.available(BIG, 500_00) == 300_00, "its own limit is that of the decision at hand"


def test_a_limit_that_falls_meanwhile_is_seen(exposures: Exposures) -> None:
    commit(exposures, choice("a", BIG, 100_00))
    late = exposures.committing(choice("b", SMALL, 300_00))
    commit(exposures, choice("c", BIG, 100_00, limit=350_00))
    with pytest.raises(ConditionFailed):
        wired.tables().transact(late, "b")
    with pytest.raises(LimitExhausted) as refused:
        exposures.refused(choice("b", SMALL, 300_00))
    assert refused.value.parameters == {"left": "150.00"}


def test_choices_of_a_group_at_once(exposures: Exposures) -> None:
    late = exposures.committing(choice("b", SMALL, 300_00))
    commit(exposures, choice("a", BIG, 900_00))
    assert left(exposures, SMALL) == 100_00
    with pytest.raises(ConditionFailed):
        wired.tables().transact(late, "b")
    with pytest.raises(LimitExhausted):
        exposures.refused(choice("b", SMALL, 300_00))


def test_the_first_choice_of_a_group_knows_its_own_limit_only(exposures: Exposures) -> None:
    commit(exposures, choice("a", SMALL, 300_00))
    assert (left(exposures, SMALL), left(exposures, BIG)) == (0, 700_00)


@pytest.mark.parametrize("ends_first", [False, True])
def test_a_group_is_counted_under_both_keys_of_a_rotation(
    world: World, exposures: Exposures, *, ends_first: bool
) -> None:
    commit(exposures, choice("a", BIG, 600_00))
    with world.index_keys(NEWER_KEY, {"id": "1"}):
        assert (left(exposures, BIG), left(exposures, SMALL)) == (400_00, 300_00)
        commit(exposures, choice("b", SMALL, 200_00))
        with pytest.raises(LimitExhausted):
            commit(exposures, choice("c", BIG, 200_01))
        if ends_first:
            exposures.settle("a", 500_00)
        assert [exposures.rekey("a", BIG), exposures.rekey("a", BIG), exposures.rekey("b", SMALL)] == [1, 0, 0]
        owed = 500_00 if ends_first else 600_00
        assert (left(exposures, BIG), left(exposures, SMALL)) == (800_00 - owed, 100_00)
    with world.index_keys(NEWER_KEY, {"id": "1", "retired": True}):
        assert (left(exposures, BIG), left(exposures, SMALL)) == (800_00 - owed, 100_00)
        exposures.settle("a", owed)
        exposures.settle("b", None)
        assert (left(exposures, BIG), left(exposures, SMALL)) == (1_000_00 - owed, 300_00)


@pytest.mark.parametrize(
    ("written", "key"),
    [("P000123000456", "P000123000456"), (" p000123000456 ", "P000123000456"),
     ("Ｐ０００１２３０００４５６", "P000123000456"),
     ("110101-19900307-671X", "110101-19900307-671X"), ("abc", None), ("", None), ("王伟", None), (12, None),
     (None, None), ("X" * 65, None), ("P0 00", None)],
)  # fmt: skip
def test_a_key_is_read_or_there_is_no_group(written: Any, key: str | None) -> None:
    assert representative_key({"registry": {"registration": {"legal_representative_key": written}}}) == key
    assert representative_key({"registry": None}) is None


def test_the_registrys_key_makes_the_group(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Sealed and blind-indexed, in no log and no key data."""
    world.to_assessed()
    world.push(max_amount="1000000.00")
    wired.offers().offer(world.application_id, "t-1")
    world.choose()
    number = number_of(FIRM)
    assert wired.applications().representative_of(world.application()) == number
    limit = world.application().risk.limit_minor or 0  # type: ignore[union-attr]
    sibling = Borrower("91350100M000100Y43", number)
    assert wired.exposures().available(sibling, limit) == limit - used(world)
    everything = [str(world.items(table)) for table in ("Applications", "Exposures", "Offers", "Waits")]
    assert not [text for text in [*everything, repr(world.application()), caplog.text] if number in text]
    key_data = world.stack.documents()[world.application().key_data_key or ""]
    assert number.encode() not in key_data


def test_without_a_key_there_is_no_group(world: World) -> None:
    world.authorize()
    world.sources_answer()
    answer = registry_data(FIRM, world.clock.now().date())
    answer["registration"]["legal_representative_key"] = None
    world.http.answer("GET", f"{REGISTRY}/api/v1/companies/", 200, answer)
    world.collect()
    assert world.application().representative is None
    wired.assessment().score_in_process(world.application_id)
    wired.assessment().decide(world.application_id)
    world.push()
    wired.offers().offer(world.application_id, "t-1")
    world.choose()
    assert [one["holder"].partition("#")[0] for one in world.items("Exposures")] == ["application", "firm"]
    another(world, "key-00000002")


def test_the_firms_of_a_group_choose_at_once(exposures: Exposures) -> None:
    """Twelve firms, each within its own limit, together far above the largest."""
    commit(exposures, choice("first", BIG, 100_00))
    firms = [Borrower(f"firm-{number}", PERSON) for number in range(12)]
    started, refused = Barrier(len(firms)), []

    def act(firm: Borrower) -> None:
        started.wait()
        try:
            again(lambda: commit(exposures, choice(firm.taxpayer_id, firm, 200_00, limit=300_00)))
        except LimitExhausted:
            refused.append(firm)

    threads = [Thread(target=act, args=(firm,)) for firm in firms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(refused), left(exposures, BIG)) == (8, 100_00)
    assert sum(exposures.used(firm.taxpayer_id) for firm in [*firms, BIG]) == 900_00
