"""Choices at once, and processes killed around a commitment: nothing is promised twice, nothing for ever (C20, S11)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Barrier, Thread
from typing import Any

import pytest

from creditmesh.intake.model import ApplicationClosed, Outcome
from creditmesh.kernel.errors import Conflict
from creditmesh.offers.exposure import CapacityExhausted, LimitExhausted
from creditmesh.offers.offer import Wanted
from tests.support import wired
from tests.support.world import APPROVAL, BORROWER, CONTRACT, DISBURSEMENT, FIRM, REJECTION, World
from tests.unit.offers.test_offering import another

CROWD = 50
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})


def used() -> int:
    return int(wired.exposures().used(FIRM.taxpayer_id))


def committed(world: World) -> dict[str, int]:
    """Amounts by application, of commitments that are in force."""
    prefix = "application#"
    return {
        one["holder"].removeprefix(prefix): one["amount_minor"]
        for one in world.items("Exposures")
        if one["holder"].startswith(prefix) and one["state"] != "released"
    }


def chosen(world: World) -> set[str]:
    return {one["application_id"] for one in world.items("Applications") if "chosen_terms" in one}


@pytest.fixture
def crowd(world: World) -> list[str]:
    """Applications of one firm, all offered a product with capacity for four of them, and one without."""
    world.to_assessed()
    world.push("tight", capacity="450000.00", monthly_capacity="450000.00")
    world.push("wide", max_amount="1000000.00")
    wired.offers().offer(world.application_id, "t-1")
    ids = [world.application_id]
    for number in range(2, CROWD + 1):
        another(world, f"key-{number:08}")
        ids.append(world.application_id)
    return ids


def choose(application_id: str, product_id: str) -> type[Conflict] | None:
    wanted = Wanted(lender_id="lender-a", product_id=product_id, amount="100000.00")
    try:
        wired.offers().choose(BORROWER, application_id, wanted)
    except (LimitExhausted, CapacityExhausted) as refused:
        return type(refused)
    return None


def at_once(names: list[str], product_id: str) -> list[type[Conflict] | None]:
    """All read before anybody writes: each choice runs just before the transaction of the one before it."""
    tables, transact = wired.tables(), wired.tables().transact
    results, waiting = [], list(names)

    def after_others(writes: Any, token: str) -> None:
        if waiting:
            results.append(choose(waiting.pop(), product_id))
        transact(writes, token)

    tables.transact = after_others
    try:
        results.append(choose(waiting.pop(), product_id))
    finally:
        tables.transact = transact
    return results


def in_threads(names: list[str], product_id: str) -> list[type[Conflict] | None]:
    results: list[type[Conflict] | None] = []
    started = Barrier(len(names))

    def act(application_id: str) -> None:
        started.wait()
        results.append(choose(application_id, product_id))

    threads = [Thread(target=act, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("run", [at_once, in_threads], ids=lambda run: run.__name__)
@pytest.mark.parametrize(
    ("product_id", "most", "refusal"), [("tight", 4, CapacityExhausted), ("wide", None, LimitExhausted)]
)
def test_fifty_choices_of_one_firm_at_once(
    world: World, crowd: list[str], run: Callable[..., Any], product_id: str, most: int | None, refusal: type[Conflict]
) -> None:
    limit = world.application().risk.limit_minor or 0  # type: ignore[union-attr]
    fit = limit // 100_000_00 if most is None else most
    assert 0 < fit < CROWD
    results = run(crowd, product_id)
    assert len(results) == CROWD
    assert (results.count(None), results.count(refusal)) == (fit, CROWD - fit)
    assert used() == fit * 100_000_00 <= limit
    assert set(committed(world)) == chosen(world)
    counters = [one["used_minor"] for one in world.items("Exposures") if one["holder"].startswith("product#")]
    assert counters == ([fit * 100_000_00] * 2 if most else [])


class Killed(BaseException):
    """The process ends here, whatever it would catch."""


class Killer:
    """Ends the process at one of its writes, once: before it reaches the table, or right after."""

    def __init__(self, call: Callable[..., Any], at: int, *, before: bool) -> None:
        self.call, self.at, self.before, self.writes = call, at, before, 0

    def __call__(self, operation: str, arguments: dict[str, Any]) -> Any:
        if operation not in WRITES:
            return self.call(operation, arguments)
        self.writes += 1
        if self.writes == self.at and self.before:
            raise Killed
        answer = self.call(operation, arguments)
        if self.writes == self.at:
            raise Killed
        return answer


def offered_hash(application_id: str) -> str:
    """Of the counter-offer."""
    closing = wired.replies().standing(BORROWER, application_id)[1]
    assert closing is not None
    assert closing.counter is not None
    return closing.counter.terms.sha256


def steps(world: World, ending: str) -> list[Callable[[], Any]]:
    """What happens to an offered application from the choice to the end of its commitment."""
    own, paid = world.application_id, PAID.get(ending, "")

    acts: list[Callable[[], Any]] = [
        lambda: world.choose(),
        lambda: wired.closings().submit(own, "t-decision"),
        lambda: world.say("loan.decision", "w-1", **APPROVAL),
        lambda: wired.closings().request_contract(own, "t-contract"),
        lambda: world.say("loan.contract.ready", "w-2", **CONTRACT),
        lambda: wired.signatures().await_signature(own, "t-signature"),
        lambda: wired.signatures().sign(BORROWER, own, CONTRACT["document_sha256"], "Test Signer"),
        lambda: wired.closings().order_disbursement(own, "t-disbursement"),
        lambda: world.say("loan.disbursed", "w-3", **{**DISBURSEMENT, "amount": paid}),
    ]
    less = {**APPROVAL, "decision": "countered", "approved_amount": "80000.00"}
    countered: list[Callable[[], Any]] = [
        lambda: world.say("loan.decision", "w-1", **less),
        lambda: wired.borrower_asked().await_reply(own, "t-reply"),
        lambda: wired.replies().accept(BORROWER, own, offered_hash(own)),
    ]
    ways: dict[str, tuple[list[Callable[[], Any]], Outcome]] = {
        "paid less": ([*acts[:2], *countered, *acts[3:]], Outcome.DISBURSED),
        "rejected": ([*acts[:2], lambda: world.say("loan.decision", "w-1", **REJECTION)], Outcome.LENDER_REJECTED),
        "withdrawn": ([*acts[:6], lambda: wired.intake().withdraw(BORROWER, own)], Outcome.WITHDRAWN),
        "expired": ([*acts[:6], lambda: world.end(Outcome.SIGNATURE_EXPIRED)], Outcome.SIGNATURE_EXPIRED),
        "closed": ([*acts[:8], lambda: world.end(Outcome.CLOSED_BY_OPERATOR)], Outcome.CLOSED_BY_OPERATOR),
    }
    told, outcome = ways.get(ending, (acts, Outcome.DISBURSED))
    return [*told, lambda: wired.commitments().ended(own, outcome)]


def lived(world: World, ending: str) -> int:
    """Run to the end, each step once more where the process was killed; returns how often it was."""
    kills = 0
    for step in steps(world, ending):
        try:
            step()
        except Killed:
            kills += 1
            assert used() == sum(committed(world).values())
            assert set(committed(world)) <= chosen(world)
            with suppress(ApplicationClosed):  # a second withdrawal is told that the first has ended it
                step()
    return kills


PAID = {"paid": "100000.00", "paid less": "80000.00"}
POINTS = {"rejected": 4, "withdrawn": 8, "expired": 8, "closed": 11, "paid": 10, "paid less": 12}
"""Writes of each way; a test counts them."""
KILLS = [(way, at, before) for way, most in POINTS.items() for at in range(1, most + 1) for before in (True, False)]


def kill_at(world: World, monkeypatch: pytest.MonkeyPatch, at: int, *, before: bool) -> Killer:
    """An application that was offered a product with a capacity, and what kills its process."""
    client = world.stack.clients["dynamodb"]
    world.to_assessed()
    world.push(capacity="150000.00")
    wired.offers().offer(world.application_id, "t-choice")
    killer = Killer(client._make_api_call, at, before=before)
    monkeypatch.setattr(client, "_make_api_call", killer)
    return killer


@pytest.mark.parametrize("ending", POINTS)
def test_every_write_is_a_point_where_it_is_killed(world: World, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    killer = kill_at(world, monkeypatch, 0, before=True)
    assert (lived(world, ending), killer.writes) == (0, POINTS[ending])


@pytest.mark.parametrize(("ending", "at", "before"), KILLS)
def test_a_killed_process_leaves_no_promise(
    world: World, monkeypatch: pytest.MonkeyPatch, ending: str, at: int, before: bool
) -> None:
    kill_at(world, monkeypatch, at, before=before)
    assert lived(world, ending) == 1
    owed = int(PAID.get(ending, "0").replace(".", ""))
    counters = {one["holder"].partition("#")[0]: one for one in world.items("Exposures")}
    assert {name: counters[name]["used_minor"] for name in ("firm", "product")} == {"firm": owed, "product": owed}
    assert counters["application"]["state"] == ("outstanding" if owed else "released")
    assert world.application().outcome is not None
