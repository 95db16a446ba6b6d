"""What is deleted when, and what an erasure leaves (S09, S19)."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from creditmesh.intake.model import Outcome
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.country import CACHED_DAYS, Country, Kind, country_of
from creditmesh.platform.tables import ConditionFailed, Put, Update
from creditmesh.retention.model import kept_after_erasure
from tests.support import template, wired
from tests.support.aws import table_name
from tests.support.world import World

CN = country_of("CN").retention
KINDS = [
    Kind.RAW_ANSWERS, Kind.KEY_DATA, Kind.DECISION, Kind.OPERATOR_TASKS, Kind.LOAN_LABELS, Kind.APPLICATION
]  # fmt: skip


def plenty() -> bool:
    return True


@pytest.fixture
def ended(world: World) -> World:
    """An application with everything but a loan: ended after the contract was made and a person had examined it."""
    full(world)
    world.end(Outcome.WITHDRAWN)
    return world


def full(world: World) -> None:
    """To a contract, with two tasks; and a label, as if it were a loan."""
    world.to_contract()
    for number in range(2):
        world.clock.advance(1)
        task = f"{world.application_id}.{number}"
        item = {
            "task_id": task, "application_id": world.application_id, "queue": "resolved", "stage": "CollectData",
            "reason": "x", "created_at": iso(world.clock.now()),
        }  # fmt: skip
        wired.tables().write(Put(table_name("OperatorTasks"), item, "task_id"))
    label = {"application_id": world.application_id, "decided_month": "2026-11", "value": "good"}
    wired.tables().write(Put(table_name("OutcomeLabels"), label, "application_id"))


def held(world: World) -> dict[Kind, bool]:
    """Which kinds of the application's data there are."""
    application_id = world.application_id

    def below(prefix: str) -> bool:
        return bool(wired.data().keys(prefix))

    def item(table: str) -> bool:
        return any(one["application_id"] == application_id for one in world.items(table))

    return {
        Kind.RAW_ANSWERS: below(f"raw/{application_id}/"),
        Kind.KEY_DATA: below(f"key-data/{application_id}."),
        Kind.DECISION: below("reports/") or item("Decisions"),
        Kind.OPERATOR_TASKS: item("OperatorTasks"),
        Kind.LOAN_LABELS: item("OutcomeLabels"),
        Kind.APPLICATION: item("Applications") or item("Offers") or item("Closings") or below("contracts/"),
    }


def pass_days(world: World, days: int) -> None:
    world.clock.advance(days * 86_400)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_deleted_when_its_period_has_passed_and_not_a_day_before(ended: World, kind: Kind) -> None:
    pass_days(ended, CN[kind].without_loan_days)
    wired.retention().run(plenty)
    assert held(ended)[kind]
    pass_days(ended, 1)
    assert wired.retention().run(plenty)[kind] == 1
    due = {other for other in KINDS if CN[other].without_loan_days <= CN[kind].without_loan_days}
    assert held(ended) == {other: other not in due for other in KINDS}


def test_scans_go_with_their_application(ended: World) -> None:
    for key in ("raw/{0}.scan-1/x.json", "raw/{0}0.json", "key-data/{0}.scan-1.json", "key-data/{0}0.json"):
        wired.data().put(key.format(ended.application_id), b"{}", "x")
    pass_days(ended, CN[Kind.APPLICATION].without_loan_days + 1)
    wired.retention().run(plenty)
    assert wired.data().keys("raw/") == [f"raw/{ended.application_id}0.json"]
    assert wired.data().keys("key-data/") == [f"key-data/{ended.application_id}0.json"]
    with pytest.raises(NotFound):
        ended.application()


def test_what_did_not_end_is_not_touched(world: World) -> None:
    full(world)
    pass_days(world, 40_000)
    assert set(wired.retention().run(plenty).values()) == {0}
    assert all(held(world).values())


def end_loan(world: World) -> str:
    """Let the loan end now, as servicing will; returns when."""
    at = iso(world.clock.now())
    wired.tables().write(wired.applications().loan_ended(world.application_id, at))
    return at


@pytest.fixture
def loan(world: World) -> World:
    full(world)
    world.end(Outcome.DISBURSED)
    return world


def test_a_loan_is_not_due_before_it_has_ended(loan: World) -> None:
    pass_days(loan, 40_000)
    assert set(wired.retention().run(plenty).values()) == {0}
    assert all(held(loan).values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_loan_that_every_mark_has_passed_is_due_when_its_own_period_has(loan: World, kind: Kind) -> None:
    """The daily run meets it for years before it ends, and goes on (S19)."""
    for _ in range(4):
        pass_days(loan, 1_500)
        wired.retention().run(plenty)
    end_loan(loan)
    pass_days(loan, CN[kind].after_loan_days)
    wired.retention().run(plenty)
    assert held(loan)[kind]
    pass_days(loan, 1)
    assert wired.retention().run(plenty)[kind] == 1
    assert not held(loan)[kind]


def test_an_end_that_the_index_does_not_know_yet_deletes_nothing(loan: World, monkeypatch: pytest.MonkeyPatch) -> None:
    paid = str(loan.application().status_at)
    pass_days(loan, 5_000)
    end_loan(loan)
    store = type(wired.applications())
    monkeypatch.setattr(store, "ended", lambda *_: iter([(loan.application_id, paid)]))
    assert set(wired.retention().run(plenty).values()) == {0}
    assert all(held(loan).values())


def test_a_loan_ends_once(loan: World) -> None:
    first = end_loan(loan)
    pass_days(loan, 1)
    with pytest.raises(ConditionFailed):
        end_loan(loan)
    assert (loan.application().loan_ended_at, loan.application().status_at) == (first, first)
    assert loan.application().outcome is Outcome.DISBURSED


def test_only_what_was_paid_out_ends_as_a_loan(ended: World) -> None:
    with pytest.raises(ConditionFailed):
        end_loan(ended)


def test_loans_and_others_do_not_hide_one_another(loan: World) -> None:
    second = loan.apply("key-00000002", taxpayer_id=loan.application().taxpayer_id).application_id
    loan.end(Outcome.WITHDRAWN, second)
    pass_days(loan, 1)
    end_loan(loan)
    pass_days(loan, 10_000)
    assert wired.retention().run(plenty)[Kind.APPLICATION] == 2
    assert loan.items("Applications") == []


def test_an_application_goes_with_all_that_it_names_though_another_kind_is_behind(ended: World) -> None:
    """As a kind that came with a release is, until its mark has caught up."""
    pass_days(ended, CN[Kind.APPLICATION].without_loan_days + 1)
    for kind in set(KINDS) - {Kind.APPLICATION}:
        wired.data().put_json(f"retention/{kind}.json", {"ended": iso(ended.clock.now())})
    assert wired.retention().run(plenty)[Kind.APPLICATION] == 1
    assert not any(held(ended).values())


def test_a_run_that_ended_early_is_continued_and_repeated_runs_do_nothing_else(ended: World) -> None:
    second = ended.apply("key-00000002", taxpayer_id=ended.application().taxpayer_id).application_id
    ended.clock.advance(60)
    ended.end(Outcome.WITHDRAWN, second)
    pass_days(ended, CN[Kind.APPLICATION].without_loan_days + 1)
    budget = iter([True, *[False] * 9])
    assert wired.retention().run(lambda: next(budget))[Kind.RAW_ANSWERS] == 1
    assert not held(ended)[Kind.RAW_ANSWERS]
    assert wired.retention().run(plenty)[Kind.APPLICATION] == 2
    assert ended.items("Applications") == []
    assert wired.retention().run(plenty)[Kind.APPLICATION] == 0


def test_what_could_not_be_deleted_is_due_again(ended: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pass_days(ended, CN[Kind.APPLICATION].without_loan_days + 1)
    erasers = wired.retention()._erasers

    def fails(_: Any) -> None:
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(wired.retention(), "_erasers", {**erasers, Kind.RAW_ANSWERS: fails})
        with pytest.raises(TimeoutError):
            wired.retention().run(plenty)
    assert all(held(ended).values())
    assert wired.data().keys("retention/") == []
    assert wired.retention().run(plenty)[Kind.RAW_ANSWERS] == 1
    assert len(wired.data().keys("retention/")) == len(KINDS)


@pytest.mark.parametrize(("on", "bps"), [("2017-08-03", None), ("2017-08-04", 2400), ("2024-06-30", 2400),
                                         ("2024-07-01", 1500), ("2030-01-01", 1500)])  # fmt: skip
def test_the_cap_of_a_day_is_the_last_that_has_begun(on: str, bps: int | None) -> None:
    document = json.loads(country_of("CN").model_dump_json())
    document["yearly_cost_caps"] = [
        {"since": "2017-08-04", "bps": 2400, "source": "x"}, {"since": "2024-07-01", "bps": 1500, "source": "x"}
    ]  # fmt: skip
    assert Country.model_validate(document).cap_bps(date.fromisoformat(on)) == bps


def test_a_shorter_period_reaches_what_a_longer_one_had_left(ended: World) -> None:
    pass_days(ended, 800)
    wired.retention().run(plenty)
    shorter = json.loads(country_of("CN").model_dump_json())
    shorter["retention"]["key_data"]["without_loan_days"] = 700
    wired.retention()._rules = Country.model_validate(shorter)
    wired.retention().run(plenty)
    assert held(ended) == {kind: kind is not Kind.KEY_DATA for kind in KINDS}


def test_consents_and_uses_end_by_themselves_after_the_right_did(world: World) -> None:
    world.to_collected()
    days = CN[Kind.CONSENTS].without_loan_days
    now = int(world.clock.now().timestamp())
    for item in world.items("ConsentRecords"):
        right_days = 365 if item["entry"] == "consent" else 0
        assert abs(item["forget_at"] - now - (days + right_days) * 86_400) < 5
    assert {item["entry"] for item in world.items("ConsentRecords")} == {"consent", "use"}


def kept(world: World, country: str = "CN") -> dict[Kind, tuple[int, str, date | None]]:
    found = kept_after_erasure(world.application(), country_of(country), world.clock)
    return {one.kind: (one.days, one.after, one.until) for one in found}


def test_an_erasure_names_the_day_of_what_has_ended(ended: World) -> None:
    day = ended.clock.today() + timedelta(days=1095)
    assert kept(ended)[Kind.DECISION] == (1095, "application_end", day)
    assert kept(ended)[Kind.CONSENTS] == (1095, "consent_end", None)
    assert kept(ended, "DE")[Kind.DECISION] == (1461, "application_end", ended.clock.today() + timedelta(days=1461))


def test_the_day_of_an_end_is_the_zones_and_not_that_of_the_request(world: World) -> None:
    world.to_collected()
    world.clock.zone = ZoneInfo("Asia/Shanghai")
    world.clock.at = (world.clock.at + timedelta(days=3)).replace(hour=18)
    world.end(Outcome.WITHDRAWN)
    assert kept(world)[Kind.DECISION][2] == world.clock.at.date() + timedelta(days=1 + 1095)


def test_an_erasure_counts_from_an_end_that_is_open(world: World) -> None:
    assert kept(world)[Kind.RAW_ANSWERS] == (1195, "application_end", None)
    world.to_contract()
    world.end(Outcome.DISBURSED)
    assert kept(world)[Kind.RAW_ANSWERS] == (3650, "loan_end", None)
    pass_days(world, 400)
    end_loan(world)
    assert kept(world)[Kind.RAW_ANSWERS] == (3650, "loan_end", world.clock.today() + timedelta(days=3650))


def test_the_day_that_is_named_is_the_last_on_which_it_is_kept(ended: World) -> None:
    """Though something else about the application has changed since."""
    ends = {kind: kept(ended)[kind][2] for kind in KINDS}
    assert {kind: ends[kind] for kind in (Kind.OPERATOR_TASKS, Kind.LOAN_LABELS)} == {
        Kind.OPERATOR_TASKS: ends[Kind.APPLICATION], Kind.LOAN_LABELS: ends[Kind.APPLICATION]
    }  # fmt: skip
    key = {"application_id": ended.application_id}
    later = iso(ended.clock.now() + timedelta(days=90))
    wired.tables().write(Update(table_name("Applications"), key, {"updated_at": later}))
    assert {kind: kept(ended)[kind][2] for kind in KINDS} == ends
    for kind in sorted(KINDS, key=lambda one: ends[one] or date.max):
        ended.clock.at = ended.clock.at.replace(year=ends[kind].year, month=ends[kind].month, day=ends[kind].day)
        wired.retention().run(plenty)
        assert held(ended)[kind], "its last day"
    pass_days(ended, 1)
    wired.retention().run(plenty)
    assert not any(held(ended).values())


def test_every_country_of_the_template_has_its_rules() -> None:
    countries = template.source()["Parameters"]["Country"]["AllowedValues"]
    for country in countries:
        rules = country_of(country)
        assert rules.country == country
        assert all({"en", "zh-CN"} == set(rule.reason) for rule in rules.retention.values())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"raw_answers": None}, "no rule for raw_answers"),
        ({"application": {"without_loan_days": 1000}}, "an application must be kept as long"),
        ({"application": {"after_loan_days": 1000}}, "an application must be kept as long"),
        ({"raw_answers": {"without_loan_days": 1095 + CACHED_DAYS - 1}}, "100 days longer than key data"),
        ({"key_data": {"without_loan_days": 0}}, "greater than or equal to 1"),
        ({"decision": {"reason": {"fr": "x"}}}, "Input should be"),
    ],
)
def test_rules_that_cannot_be_meant(change: dict[str, Any], fault: str) -> None:
    document = json.loads(country_of("CN").model_dump_json())
    for kind, values in change.items():
        document["retention"][kind] = values and {**document["retention"][kind], **values}
        if values is None:
            del document["retention"][kind]
    with pytest.raises(ValidationError, match=fault):
        Country.model_validate(document)
