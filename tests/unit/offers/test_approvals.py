"""A second person's approval of product versions, where the lender wants it (C17)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.errors import Forbidden, NotFound, SamePerson
from creditmesh.offers.model import NotALender, NotProposed, Product, ProductTerms
from creditmesh.offers.products import TIME_TO_DECIDE
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.institutions import ADDRESS_BOOK
from creditmesh.platform.tables import ConditionFailed
from tests.support import aws, wired
from tests.support.world import ADDRESSES, BORROWER, OPERATOR, TERMS, World

ANN, BEN = (Caller(subject=name, role=Role.LENDER, tenant="lender-a") for name in ("ann", "ben"))
RIVAL = Caller(subject="ben", role=Role.LENDER, tenant="lender-b")


def directory(world: World, **lender: Any) -> None:
    """Write an address book with these of lender A; five minutes have passed since."""
    book = aws.text({**ADDRESSES, "lender-a": {**ADDRESSES["lender-a"], **lender}}).encode()
    world.stack.clients["s3"].put_object(Bucket=world.stack.refs["ArtefactBucket"], Key=ADDRESS_BOOK, Body=book)
    platform().__dict__.pop("addresses", None)


@pytest.fixture(autouse=True)
def two_persons(world: World) -> Iterator[None]:
    directory(world, products_need_approval=True)
    yield
    directory(world)


def push(caller: Caller = ANN, product_id: str = "p-1", **changes: Any) -> Product:
    return wired.products().push(caller, product_id, ProductTerms.model_validate({**TERMS, **changes}))


def approve(version: int, caller: Caller = BEN, product_id: str = "p-1") -> Product:
    return wired.products().approve(caller, product_id, version, "seen")


def in_force() -> list[tuple[str, int]]:
    return [(one.product_id, one.version) for one in wired.products().catalogue()]


def states(product_id: str = "p-1") -> list[tuple[int, str]]:
    return [(one.version, one.state.value) for one in wired.products().versions(ANN, product_id)]


def waiting(caller: Caller = ANN) -> list[tuple[str, int]]:
    return [(one.product_id, one.version) for one in wired.products().proposed_for(caller)]


def test_a_version_is_not_offered_before_another_person_approves_it(world: World) -> None:
    assert (push().state, in_force(), waiting(), waiting(OPERATOR)) == ("proposed", [], [("p-1", 1)], [("p-1", 1)])
    assert (waiting(RIVAL), waiting(BORROWER)) == ([], [])
    decided = approve(1)
    assert decided.decision is not None
    assert (decided.state, decided.decision.by, decided.decision.note) == ("released", "ben", "seen")
    assert (in_force(), waiting(), states()) == ([("p-1", 1)], [], [(1, "released")])
    assert push(name="Dearer").version == 2
    assert in_force() == [("p-1", 1)], "the earlier version stays until the next is approved"
    approve(2)
    assert (in_force(), states()) == ([("p-1", 2)], [(2, "released"), (1, "released")])


def test_nobody_approves_what_they_entered(world: World) -> None:
    push()
    with pytest.raises(SamePerson):
        approve(1, ANN)
    with pytest.raises(NotFound):
        approve(1, RIVAL)
    with pytest.raises(Forbidden):
        approve(1, BORROWER)
    with pytest.raises(NotFound):
        approve(2)
    assert (in_force(), states()) == ([], [(1, "proposed")])


@pytest.mark.parametrize("by", [ANN, BEN], ids=lambda one: one.subject)
def test_a_rejected_version_is_never_offered(world: World, by: Caller) -> None:
    push()
    for _ in range(2):
        assert wired.products().reject(by, "p-1", 1, "last year's rate").state == "rejected"
    with pytest.raises(NotProposed) as refused:
        approve(1)
    assert refused.value.parameters == {"state": "rejected"}
    assert (in_force(), waiting(), states()) == ([], [], [(1, "rejected")])
    assert push().version == 2, "the same terms can be proposed again"


def test_a_retry_changes_nothing(world: World) -> None:
    assert push() == push() == push(BEN)
    assert approve(1) == approve(1)
    with pytest.raises(NotProposed):
        approve(1, ANN)
    with pytest.raises(NotProposed):
        wired.products().reject(BEN, "p-1", 1, "no")
    assert push().version == 1
    assert (in_force(), states()) == ([("p-1", 1)], [(1, "released")])


def test_a_later_version_takes_the_place_of_one_that_waits(world: World) -> None:
    push()
    push(BEN, name="Better")
    assert (states(), waiting()) == ([(2, "proposed"), (1, "superseded")], [("p-1", 2)])
    with pytest.raises(NotProposed):
        approve(1)
    approve(2, ANN)
    assert in_force() == [("p-1", 2)]


def test_a_proposal_expires(world: World) -> None:
    push()
    world.clock.advance(TIME_TO_DECIDE.total_seconds() - 0.001)
    assert states() == [(1, "proposed")]
    world.clock.advance(0.001)
    assert (states(), waiting()) == ([(1, "expired")], [])
    with pytest.raises(NotProposed):
        approve(1)
    assert push().version == 2
    approve(2)
    assert states() == [(2, "released"), (1, "expired")]


def test_a_decision_meets_a_push(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes first decides; the other sees it."""
    push()
    tables, transact = wired.tables(), wired.tables().transact

    def late(writes: Any, token: str) -> None:
        monkeypatch.setattr(tables, "transact", transact)
        push(BEN, name="Meanwhile")
        transact(writes, token)

    monkeypatch.setattr(tables, "transact", late)
    with pytest.raises(NotProposed):
        approve(1)
    assert (in_force(), states()) == ([], [(2, "proposed"), (1, "superseded")])

    def decided(writes: Any, token: str) -> None:
        monkeypatch.setattr(tables, "transact", transact)
        approve(2, ANN)
        transact(writes, token)

    monkeypatch.setattr(tables, "transact", decided)
    with pytest.raises(ConditionFailed):
        push(name="Too late")
    assert (in_force(), states()) == ([("p-1", 2)], [(2, "released"), (1, "superseded")])


def test_without_the_setting_a_version_is_in_force_at_once(world: World) -> None:
    push()
    directory(world)
    assert push(name="Alone").state == "released"
    assert (in_force(), states(), waiting()) == ([("p-1", 2)], [(2, "released"), (1, "superseded")], [])
    assert push(RIVAL).state == "released"


def test_a_lender_that_left_decides_nothing(world: World) -> None:
    push()
    directory(world, kind="source")
    with pytest.raises(NotALender):
        approve(1)
