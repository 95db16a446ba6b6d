"""What ends: reminders once each, renewal asked for in time, blind spots marked and cleared (C28)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from creditmesh.authorization.model import DUE_QUEUES, days_to_remind, next_due
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import Forbidden
from creditmesh.platform.tables import Tables, Update
from tests.support import wired
from tests.support.aws import table_name
from tests.support.functions import invoke, stream_event
from tests.support.world import BORROWER, CODE, FIRM, LENDER, NOW, OPERATOR, World

TAXPAYER, TENANT = FIRM.taxpayer_id, BORROWER.tenant
DAY = 86400


def take(days: float, code: str = CODE, tenant: str = TENANT) -> None:
    until = iso(wired.clock().now() + timedelta(days=days))
    wired.authorizations().take(TAXPAYER, code, until, "borrower:user-1", tenant=tenant)


def watch(subject: str = "loan_1", lender: str | None = "lender-a") -> None:
    wired.authorizations().watch(TAXPAYER, "tax", subject, tenant=TENANT, lender_id=lender)


def sweep() -> dict[str, int]:
    done: dict[str, int] = invoke("SweepAuthorizationsFunction", {})
    return {name: number for name, number in done.items() if number}


def history() -> list[tuple[str, str | None]]:
    return [(one.kind.value, one.note) for one in wired.authorizations().history(TAXPAYER, tenant=TENANT)]


def spots(caller: Caller = OPERATOR) -> list[tuple[str, str | None]]:
    return [(one.subject_id, one.blind_cause) for one in wired.watches().blind_spots(caller)]


def test_each_reminder_goes_out_once(world: World) -> None:
    take(30)
    assert sweep() == {}
    for days_left, expected in ((14.5, {}), (14, {"reminded": 1}), (13, {}), (3, {"reminded": 1}), (1, {"reminded": 1}),
                                (0.5, {}), (0, {"expired": 1}), (-1, {})):  # fmt: skip
        world.clock.at = NOW + timedelta(days=30 - days_left)
        assert (sweep(), sweep()) == (expected, {}), days_left
    assert history() == [("expired", None), ("reminded", "1"), ("reminded", "3"), ("reminded", "14"), ("granted", None)]
    (stored,) = world.items("Authorizations")
    assert {"code", "due_at", "due_queue"}.isdisjoint(stored)


@pytest.mark.parametrize(("days", "reminders"), [(0.5, []), (2, ["1"]), (3.5, ["3", "1"]), (400, ["14", "3", "1"])])
def test_a_short_one_is_reminded_of_as_far_as_there_is_time(world: World, days: float, reminders: list[str]) -> None:
    take(days)
    end = NOW + timedelta(days=days)
    for back in (14, 3, 1, 0):
        world.clock.at = max(NOW, end - timedelta(days=back))
        sweep()
    assert [note for kind, note in reversed(history()) if kind == "reminded"] == reminders
    assert history()[0][0] == "expired"


def test_an_index_that_lags_behind_a_renewal_reminds_of_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    take(30)
    world.clock.advance(16 * DAY)
    due = [list(wired.authorization_store().due(queue, iso(world.clock.now()), 9)) for queue in DUE_QUEUES]
    stale = [{"taxpayer_index": one.taxpayer_index, "record": one.record} for found in due for one in found]
    assert len(stale) == 1
    take(30, "code-brought-later-0002")
    query = Tables.query

    def lagging(tables: Tables, *arguments: Any, **more: Any) -> Any:
        return iter(stale) if more.get("index") == "by-due" else query(tables, *arguments, **more)

    monkeypatch.setattr(Tables, "query", lagging)
    assert sweep() == {}


def test_two_sweeps_at_once_remind_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    take(30)
    world.clock.advance(16 * DAY)
    whole = Tables.transact

    def meanwhile(tables: Tables, *arguments: Any) -> None:
        monkeypatch.setattr(Tables, "transact", whole)
        world.clock.advance(1)
        assert sweep() == {"reminded": 1}
        whole(tables, *arguments)

    monkeypatch.setattr(Tables, "transact", meanwhile)
    assert sweep() == {}
    assert history() == [("reminded", "14"), ("granted", None)]


def test_after_a_pause_of_the_sweep_only_the_nearest_reminder_goes_out(world: World) -> None:
    take(30)
    world.clock.advance(28 * DAY)
    assert sweep() == {"reminded": 1}
    assert history()[0] == ("reminded", "3")
    assert next_due(iso(NOW + timedelta(days=30)), world.clock.now()) == iso(NOW + timedelta(days=29))
    assert days_to_remind(iso(NOW + timedelta(days=30)), world.clock.now()) == 3


@pytest.mark.parametrize("end", ["renew", "withdraw", "refuse"])
def test_what_was_renewed_or_has_ended_is_not_reminded_of(world: World, end: str) -> None:
    take(20)
    if end == "renew":
        take(300, "code-brought-later-0002")
    elif end == "withdraw":
        wired.authorizations().withdraw(TAXPAYER, "tax", "borrower:user-1", tenant=TENANT)
    else:
        wired.authorizations().refuse(wired.authorizations().usable(TAXPAYER), "code_revoked")
    world.clock.advance(25 * DAY)
    assert sweep() == {}


def test_a_renewal_between_look_and_write_wins(world: World) -> None:
    take(10)
    sweeper, store = wired.expiry_sweep(), wired.authorization_store()
    world.clock.advance(8 * DAY)
    (seen,) = [one for shard in range(4) for one in store.due(f"due-{shard}", iso(world.clock.now()), 10)]
    take(300, "code-brought-later-0002")
    assert sweeper._handled(seen) is None
    assert ("reminded", "3") not in history()


def test_one_bad_item_keeps_no_other_from_its_reminder(world: World) -> None:
    take(10)
    take(10, "code-of-another-tenant", tenant="firm-2")
    (mine,) = [item for item in world.items("Authorizations") if item["tenant"] == TENANT]
    key = {"taxpayer_index": mine["taxpayer_index"], "record": mine["record"]}
    wired.tables().write(Update(table_name("Authorizations"), key, {"expires_at": "never"}))
    world.clock.advance(8 * DAY)
    assert sweep() == {"reminded": 1, "left": 1}


def test_expired_under_monitoring_is_a_blind_spot_until_renewed(world: World) -> None:
    take(30)
    watch()
    watch()
    assert spots() == []
    world.clock.advance(16 * DAY)
    sweep()
    assert history()[:2] == [("renewal_requested", None), ("reminded", "14")]
    world.clock.advance(14 * DAY)
    sweep()
    assert spots() == [("loan_1", "code_expired")]
    assert [kind for kind, _ in history()].count("renewal_requested") == 1
    (spot,) = wired.authorizations().blind_of(TAXPAYER, tenant=TENANT)
    assert spot.blind_since == iso(world.clock.now())
    world.clock.advance(DAY)
    take(300, "code-brought-later-0002")
    assert spots() == []
    assert history()[0][0] in ("sight_restored", "granted")
    assert ("blind_spot", "code_expired") in history()


@pytest.mark.parametrize("cause", ["withdrawn", "code_revoked", "none_stored"])
def test_blindness_has_other_causes_too(world: World, cause: str) -> None:
    if cause != "none_stored":
        take(30)
    watch()
    if cause == "withdrawn":
        wired.authorizations().withdraw(TAXPAYER, "tax", "borrower:user-1", tenant=TENANT)
    elif cause == "code_revoked":
        wired.authorizations().refuse(wired.authorizations().usable(TAXPAYER), cause)
    assert spots() == [("loan_1", cause)]


def test_a_mark_is_set_and_cleared_once_however_often_it_is_looked_at(world: World) -> None:
    watch()
    index = wired.blind_index().of("taxpayer_id", TAXPAYER)
    stale = wired.watches().of(index, "tax", TENANT)
    assert wired.watches().reconcile(index, "tax", TENANT) == 0
    take(30)
    assert [wired.watches().reconcile(index, "tax", TENANT) for _ in range(2)] == [1, 0]
    assert not wired.watches()._set(stale[0], None, None)
    assert [kind for kind, _ in history()].count("sight_restored") == 1


def test_who_sees_which_blind_spots(world: World) -> None:
    watch("loan_1", "lender-a")
    world.clock.advance(1)
    watch("loan_2", "lender-b")
    watch("app_3", None)
    assert [subject for subject, _ in spots(LENDER)] == ["loan_1"]
    assert {subject for subject, _ in spots(OPERATOR)} == {"loan_1", "loan_2", "app_3"}
    assert spots(OPERATOR)[0][0] == "loan_1"
    with pytest.raises(Forbidden):
        spots(BORROWER)
    with pytest.raises(Forbidden):
        spots(Caller(subject="b", role=Role.BANK, tenant="lender-a"))


def test_unwatched_is_no_blind_spot(world: World) -> None:
    watch()
    wired.authorizations().unwatch(TAXPAYER, "tax", "loan_1", tenant=TENANT)
    assert spots() == []
    assert not wired.authorizations().is_watched(TAXPAYER, tenant=TENANT)


def test_each_change_is_an_event_without_personal_data(world: World) -> None:
    take(30)
    watch()
    world.clock.advance(31 * DAY)
    sweep()
    published: list[dict[str, Any]] = []

    def keep(params: dict[str, Any], **_: Any) -> None:
        published.extend(params["Entries"])

    events = world.stack.clients["events"].meta.events
    events.register("provide-client-params.events.PutEvents", keep)
    try:
        batch = stream_event(world, "ConsentRecords")
        batch["Records"].append({"dynamodb": {"SequenceNumber": "bad", "NewImage": {"kind": {"S": "stolen"}}}})
        assert invoke("PublishConsentsFunction", batch) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    finally:
        events.unregister("provide-client-params.events.PutEvents", keep)
    assert {entry["DetailType"] for entry in published} == {"ConsentChanged"}
    details = [json.loads(entry["Detail"]) for entry in published]
    assert {one["kind"] for one in details} == {"granted", "expired", "renewal_requested", "blind_spot"}
    assert len({one["event_id"] for one in details}) == len(details)
    index = wired.blind_index().of("taxpayer_id", TAXPAYER)
    assert not any(secret in str(published) for secret in (CODE, TAXPAYER, index, "user-1"))


def test_the_stream_marks_what_a_dead_process_did_not(world: World) -> None:
    take(30)
    watch()
    wired.authorizations().withdraw(TAXPAYER, "tax", "borrower:user-1", tenant=TENANT)
    (stored,) = world.items("Watches")
    key = {name: stored[name] for name in ("taxpayer_index", "watch")}
    wired.tables().write(Update(table_name("Watches"), key, remove=("blind_since", "blind_cause", "blind_spot")))
    assert spots() == []
    world.clock.advance(1)
    invoke("PublishConsentsFunction", stream_event(world, "ConsentRecords"))
    assert spots() == [("loan_1", "withdrawn")]
