"""Consents while the index key is rotated: found, unique, moved, and in the end without the earlier key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from creditmesh.authorization.model import AuthorizationRequired
from creditmesh.authorization.scopes import scope_of
from creditmesh.authorization.store import AuthorizationStore
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import InvalidInput, Unavailable
from creditmesh.platform.events import EventPublisher
from creditmesh.platform.tables import Absent, Tables
from tests.support import wired
from tests.support.functions import invoke, stream_event
from tests.support.world import CODE, World
from tests.unit.authorization.test_authorizations import OTHER_FIRM, TAXPAYER, TENANT, take

NEW = {"id": "2", "key": "n" * 64}
FIRST: dict[str, Any] = {"id": "1"}


def watch(subject: str = "loan-1") -> None:
    wired.authorizations().watch(TAXPAYER, "tax", subject, tenant=TENANT)


def use() -> None:
    held = wired.authorizations().usable(TAXPAYER, tenant=TENANT)
    wired.authorizations().use(held, purpose="loan_assessment", by="app_1", channel="tax-bureau")


def story() -> tuple[list[str], list[str]]:
    """Everything that is told of the firm."""
    service = wired.authorizations()
    history = [f"{one.at} {one.kind} {one.authorization_id}" for one in service.history(TAXPAYER, tenant=TENANT)]
    return history, [f"{one.at} {one.outcome}" for one in service.uses(TAXPAYER, tenant=TENANT)]


def indexes(world: World) -> set[str]:
    """The ids of the keys under which anything lies."""
    items = [one for name in ("Authorizations", "Watches", "ConsentRecords") for one in world.items(name)]
    return {one["taxpayer_index"].partition(".")[2] or "1" for one in items}


@pytest.fixture
def grown(world: World) -> World:
    """A firm with a history from before the rotation."""
    world.authorize()
    world.clock.advance(1)
    use()
    watch()
    world.clock.advance(1)
    wired.authorizations().withdraw(TAXPAYER, "tax", "user-1", tenant=TENANT)
    world.clock.advance(1)
    take("code-of-the-good-firm-0002")
    return world


def test_what_lies_under_the_earlier_key_is_found_and_changed_there(grown: World) -> None:
    before = story()
    with grown.index_keys(NEW, FIRST):
        assert story() == before
        assert wired.authorizations().is_watched(TAXPAYER, tenant=TENANT)
        use()
        wired.authorizations().withdraw(TAXPAYER, "tax", "user-1", tenant=TENANT)
        with pytest.raises(AuthorizationRequired, match="withdrawn"):
            wired.authorizations().usable(TAXPAYER, tenant=TENANT)
        (blind,) = wired.authorizations().blind_of(TAXPAYER, tenant=TENANT)
        assert blind.blind_cause == "withdrawn"
    assert indexes(grown) == {"1"}


def test_once_moved_the_earlier_key_is_not_needed(grown: World) -> None:
    before = story()
    with grown.index_keys(NEW, FIRST):
        assert wired.firm_moves().move_revocations() == 1
        assert wired.firm_moves().left() == len(before[0]) + len(before[1]) + 2
        assert wired.firm_moves().move(TAXPAYER) == len(before[0]) + len(before[1]) + 2
        assert (wired.firm_moves().move(TAXPAYER), wired.firm_moves().left()) == (0, 0), "a repeat does nothing"
        assert story() == before
    with grown.index_keys(NEW):
        assert story() == before
        assert wired.authorizations().is_watched(TAXPAYER, tenant=TENANT)
        use()
    assert indexes(grown) == {"2"}


def test_a_new_firm_goes_under_the_current_key(world: World) -> None:
    with world.index_keys(NEW, FIRST):
        world.authorize()
        use()
        watch()
    assert indexes(world) == {"2"}
    later = iso(world.clock.now() + timedelta(minutes=15))
    with world.index_keys({"id": "3", "key": "m" * 64, "from": later}, NEW):
        take(taxpayer=OTHER_FIRM, code="code-of-another-firm-0001", tenant="firm-2")
        world.clock.advance(900)
        take(taxpayer=OTHER_FIRM, code="code-of-another-firm-0002", tenant="firm-3")
    assert indexes(world) == {"2"}, "a firm stays together"


class Stopped(Exception):
    """The machine is gone."""


def test_a_move_that_was_stopped_goes_on(grown: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before, whole, calls = story(), Tables.transact, iter(range(2))

    def stopping(tables: Tables, *arguments: Any) -> None:
        if next(calls, None) is None:
            raise Stopped
        whole(tables, *arguments)

    monkeypatch.setattr("creditmesh.authorization.rotation._AT_ONCE", 1)
    with grown.index_keys(NEW, FIRST):
        for _ in range(9):
            calls = iter(range(2))
            with monkeypatch.context() as patch, suppress(Stopped):
                patch.setattr(Tables, "transact", stopping)
                wired.firm_moves().move(TAXPAYER)
            assert story() == before
            assert wired.authorizations().problem(TAXPAYER, tenant=TENANT) is None
        assert wired.firm_moves().left() == wired.firm_moves().move_revocations() == 1


def test_a_change_amidst_a_move_is_not_lost(grown: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is stale by the time it is written: the firm has withdrawn in between."""
    whole = Tables.transact

    def meanwhile(tables: Tables, *arguments: Any) -> None:
        monkeypatch.setattr(Tables, "transact", whole)
        wired.authorizations().withdraw(TAXPAYER, "tax", "user-1", tenant=TENANT)
        whole(tables, *arguments)

    with grown.index_keys(NEW, FIRST):
        monkeypatch.setattr(Tables, "transact", meanwhile)
        wired.firm_moves().move(TAXPAYER)
        assert indexes(grown) == {"2"}
        with pytest.raises(AuthorizationRequired, match="withdrawn"):
            wired.authorizations().usable(TAXPAYER, tenant=TENANT)


@contextmanager
def not_looking(world: World, *keys: dict[str, Any]) -> Iterator[None]:
    """As a process that had looked for the firm before another one wrote."""
    with world.index_keys(*keys), pytest.MonkeyPatch.context() as patch:
        patch.setattr(AuthorizationStore, "holds", lambda *_: False)
        yield


@pytest.mark.parametrize("first", ["earlier", "later"])
def test_one_authorisation_stands_across_keys(world: World, first: str) -> None:
    """Two processes grant at the moment of the change, each under another key; neither has seen the other's."""
    soon = iso(world.clock.now() + timedelta(minutes=15))
    before, after = [{**NEW, "from": soon}, FIRST], [NEW, FIRST]
    for number, keys in enumerate([before, after] if first == "earlier" else [after, before]):
        with not_looking(world, *keys):
            take(f"code-of-the-good-firm-100{number}")
    (stands,) = world.items("Authorizations")
    with world.index_keys(*after):
        assert wired.authorizations().usable(TAXPAYER, tenant=TENANT).code == "code-of-the-good-firm-1001"
        kinds = [one.kind for one in wired.authorizations().history(TAXPAYER, tenant=TENANT)]
    assert sorted(kinds) == ["granted", "granted", "overwritten"]
    assert stands["renewal_of"]


def test_one_that_comes_in_under_the_other_key_meanwhile_is_met(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look at the other key was before it was written: the transaction's own condition holds."""
    world.authorize()
    monkeypatch.setattr(AuthorizationStore, "peek", lambda *_: None)
    with not_looking(world, NEW, FIRST), pytest.raises(Unavailable):
        take("code-of-the-good-firm-0009")
    assert len(world.items("Authorizations")) == 1


@pytest.mark.parametrize("keys", [[NEW, FIRST], [NEW, {**FIRST, "retired": True}]], ids=["in use", "retired"])
def test_a_code_is_tied_to_its_first_bringer_across_keys(world: World, keys: list[dict[str, Any]]) -> None:
    world.authorize()
    with world.index_keys(*keys):
        take(CODE)
        with pytest.raises(InvalidInput, match="another account or firm"):
            take(CODE, tenant="firm-2")
        with pytest.raises(InvalidInput, match="another account or firm"):
            take(CODE, taxpayer=OTHER_FIRM)
        assert wired.firm_moves().codes_until(int(world.clock.now().timestamp()))
        world.clock.advance(366 * 86400)
        assert wired.firm_moves().codes_until(int(world.clock.now().timestamp())) is None


def test_a_redirect_from_before_is_returned_from(world: World) -> None:
    redirects = wired.authorizations().redirects
    link = redirects.begin("app_1", TAXPAYER, TENANT, scope_of("tax"), in_browser=False)
    with world.index_keys(NEW, FIRST):
        (stored,) = (one for one in world.items("AuthorizationFlows") if one["flow_id"] == link.flow_id)
        flow = redirects.named_by(parse_qs(urlsplit(link.url).query)["state"][0])
        assert stored["taxpayer_index"] == flow.taxpayer_index
        until = iso(world.clock.now() + timedelta(days=30))
        granted = wired.authorizations().take(TAXPAYER, CODE, until, "user-1", tenant=TENANT, flow=flow)
    assert granted.taxpayer_index.endswith(".2")


def test_a_code_still_to_be_revoked_names_the_firm_anew(grown: World) -> None:
    (pending, *_) = grown.items("Outbox")
    with grown.index_keys(NEW, FIRST):
        assert wired.firm_moves().move_revocations() == 1
        assert wired.firm_moves().move_revocations() == 0
        (moved, *_) = grown.items("Outbox")
    before, after = pending["notes"]["taxpayer_index"], moved["notes"]["taxpayer_index"]
    assert (before, after[-2:]) == (before[:64], ".2")


def test_moved_records_are_told_nobody_again(grown: World) -> None:
    with grown.index_keys(NEW, FIRST):
        wired.firm_moves().move(TAXPAYER)
        told = len(grown.items("ConsentRecords"))
        assert told
        published: list[Any] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(EventPublisher, "publish", lambda _, *given: published.append(given))
            assert invoke("PublishConsentsFunction", stream_event(grown, "ConsentRecords")) == {"batchItemFailures": []}
    assert published == []


def test_without_a_rotation_nothing_more_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One key: no look under which index a firm lies, and no transaction for a code."""
    monkeypatch.setattr(AuthorizationStore, "holds", lambda *_: pytest.fail("looks under which index"))
    monkeypatch.setattr(Absent, "request", lambda *_: pytest.fail("demands something of another index"))
    world.authorize()
    use()
    watch()
    assert wired.authorizations().problem(TAXPAYER, tenant=TENANT) is None


def test_a_grant_whose_record_is_handled_after_the_move_clears_its_blind_spot(world: World) -> None:
    """The stream's function looks under the index that the record names, where nothing is watched any more."""
    watch()
    world.authorize()
    event = stream_event(world, "ConsentRecords")
    with world.index_keys(NEW, FIRST):
        wired.firm_moves().move(TAXPAYER)
        invoke("PublishConsentsFunction", event)
        assert wired.authorizations().blind_of(TAXPAYER, tenant=TENANT) == []
