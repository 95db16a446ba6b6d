"""A corrected document reaches the answers that are cached already, without a call and without a charge (G08-G11)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from creditmesh.gateway.channels.catalogue import ChannelVersion
from creditmesh.gateway.channels.document import Channel, Outcome
from creditmesh.gateway.channels.results import CallResult
from creditmesh.kernel.clock import FixedClock
from creditmesh.platform.http import Answer
from creditmesh.platform.objects import Objects
from creditmesh.platform.tables import Update
from tests.support import aws
from tests.unit.gateway.channels.engine import FIRM, ORIGIN, Engine, body, channel

URL = f"{ORIGIN}/firms"
KEPT = ("until", "fetched_at", "raw_keys", "sha256", "number", "paid", "status", "late")
NO_SUCH_FIRM = {"status": 404, "path": "error", "reasons": ["no_such_firm"], "outcome": "no_data"}
AS_XML = {"response": {"format": "xml"}}


def paid(**changes: Any) -> Channel:
    made = {"transport": {"type": "rest", "path": "/firms"}, "cost": {"amount": "2.50"}, "cache_seconds": 600}
    return channel(**{**made, **changes})


def free(**changes: Any) -> Channel:
    return paid(**{"cost": None, **changes})


def rule(rule: str, *complete: str, **more: Any) -> dict[str, Any]:
    return {"structure": {"rule": rule, "complete": list(complete), **more}}


def collect(engine: Engine, one: Channel, version: int) -> CallResult:
    return engine.collect(one, version=version)


def answers(engine: Engine, document: Any, status: int = 200) -> None:
    given = document if isinstance(document, bytes) else body(document)
    engine.http.routes["POST", URL] = lambda _: Answer(status, given)


class Counting:
    """An S3 client that knows what was asked of it."""

    def __init__(self, client: Any) -> None:
        self._client, self.asked = client, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        if name != "exceptions":
            self.asked[name] += 1
        return getattr(self._client, name)


def test_a_corrected_rule_reads_a_cached_answer_anew(engine: Engine) -> None:
    answers(engine, {"name": "made up", "title": "the right one"})
    first = collect(engine, paid(), 1)
    was = engine.record(first)
    engine.clock.advance(60)
    answers(engine, {"name": "never asked for"})
    again = engine.collect(paid(**rule("{name: title}", "name")), version=2, by="app-2")
    assert (again.outcome, again.cached, again.channel_version) == ("complete", True, 2)
    assert engine.third(again) == {"name": "the right one"}
    now = engine.record(again)
    assert {name: getattr(now, name) for name in KEPT} == {name: getattr(was, name) for name in KEPT}
    assert again.raw_keys[0].startswith("raw/app-1/some-source-v1-"), "it says by which version it was asked"
    assert engine.third(first) == {"name": "made up"}, "a collection under way may still hold its key"
    health = engine.health_of(paid())
    assert (len(engine.http.calls), health.calls, health.cost, health.cache_hits) == (1, 1, "2.50", 1)
    engine.clock.advance(540)
    assert not collect(engine, paid(), 2).cached, "the window ends when it would have"


def test_it_costs_one_read_of_the_raw_answer_and_nothing_afterwards(engine: Engine) -> None:
    answers(engine, {"name": "made up"})
    s3 = Counting(engine.stack.clients["s3"])
    engine.objects = Objects(s3, engine.stack.refs["DataBucket"])  # type: ignore[misc, arg-type]
    collect(engine, paid(), 1)
    s3.asked.clear()
    collect(engine, paid(), 1)
    assert s3.asked == {}
    collect(engine, paid(), 2)
    assert s3.asked == {"get_object": 1, "put_object": 1}
    collect(engine, paid(), 2)
    assert s3.asked == {"get_object": 1, "put_object": 1}


def test_who_has_not_heard_of_a_change_takes_what_it_made(engine: Engine) -> None:
    """A change is in force everywhere only after some seconds; meanwhile no two versions undo one another."""
    answers(engine, {"name": "made up", "title": "the right one"})
    collect(engine, paid(), 1)
    newer = collect(engine, paid(**rule("{name: title}")), 2)
    assert collect(engine, paid(), 1) == newer


def test_pages_are_joined_again(engine: Engine) -> None:
    paging = {"items": "items", "next": "next"}
    transport = {"type": "rest", "method": "GET", "path": "/firms", "paging": paging}
    pages = {URL: {"items": [1], "next": "2"}, f"{URL}?cursor=2": {"items": [2]}}
    engine.http.routes["GET", URL] = lambda call: Answer(200, body(pages[call.url]))
    first = collect(engine, paid(transport=transport, **rule("{items: items}")), 1)
    assert len(first.raw_keys) == 2
    again = collect(engine, paid(transport=transport, **rule("{all: items}")), 2)
    assert engine.third(again) == {"all": [1, 2]}
    assert len(engine.http.calls) == 2


def test_what_could_not_be_read_can_be_read_now_and_is_not_bought_again(engine: Engine) -> None:
    answers(engine, b"<firm><name>made up</name></firm>")
    first = collect(engine, paid(), 1)
    assert (first.outcome, first.reason) == ("unavailable", "answer is not JSON")
    again = collect(engine, paid(**AS_XML, **rule("{name: firm.name}", "name")), 2)
    assert (again.outcome, again.reason, engine.third(again)) == ("complete", None, {"name": "made up"})
    assert (len(engine.http.calls), engine.health_of(paid()).cost) == (1, "2.50")


def test_corrected_refusals_reach_cached_answers_too(engine: Engine) -> None:
    answers(engine, {"error": "no_such_firm"}, 404)
    assert collect(engine, paid(), 1).reason == "answered 404"
    knowing = paid(response={"refusals": [NO_SUCH_FIRM]})
    second = collect(engine, knowing, 2)
    assert (second.outcome, second.reason, second.cached) == ("no_data", "no_such_firm", True)
    third = collect(engine, paid(response={"refusals": [{**NO_SUCH_FIRM, "outcome": "refused"}]}), 3)
    assert (third.outcome, third.reason) == ("refused", "no_such_firm")
    accepting = paid(response={"accepted": [200, 404]}, **rule("{error: error}"))
    fourth = collect(engine, accepting, 4)
    assert (fourth.outcome, engine.third(fourth)) == ("complete", {"error": "no_such_firm"})
    assert len(engine.http.calls) == 1


def test_a_consent_that_turns_out_to_be_refused_is_marked(engine: Engine) -> None:
    consent = engine.consents.grant(FIRM, "some_scope")
    answers(engine, {"name": "made up", "error": "code_revoked"})
    collect(engine, paid(consent_scope="some_scope"), 1)
    refusals = [{"status": 200, "path": "error", "reasons": ["code_revoked"]}]
    again = collect(engine, paid(consent_scope="some_scope", response={"refusals": refusals}), 2)
    assert (again.outcome, engine.consents.refused) == ("refused", {consent.authorization_id: "code_revoked"})


def test_a_paid_answer_that_the_new_rules_cannot_read_is_named_and_not_bought_again(engine: Engine) -> None:
    answers(engine, {"name": "made up"})
    first = collect(engine, paid(), 1)
    answers(engine, b"<firm><name>new endpoint</name></firm>")
    for _ in range(2):
        again = collect(engine, paid(fallback_channel="another", **AS_XML), 2)
        reason = "answer is not XML, or declares entities"
        assert (again.outcome, again.reason, again.third_key) == ("unavailable", reason, None)
        assert (again.channel_version, again.raw_keys, again.fallback_channel) == (2, first.raw_keys, "another")
    assert len(engine.http.calls) == 1
    mended = collect(engine, paid(), 3)
    assert (mended.outcome, engine.third(mended)) == ("complete", {"name": "made up"}), "nothing was lost by it"


@pytest.mark.parametrize("changes", [{"cost": None}, {"idempotent": True}])
def test_what_can_be_had_again_without_a_second_charge_is_asked_for_at_once(
    engine: Engine, changes: dict[str, Any]
) -> None:
    answers(engine, {"name": "made up"})
    first = collect(engine, paid(**changes), 1)
    answers(engine, b"<firm><name>new endpoint</name></firm>")
    again = collect(engine, paid(**changes, **AS_XML, **rule("{name: firm.name}", "name")), 2)
    assert (again.outcome, again.cached, again.channel_version) == ("complete", False, 2)
    assert (engine.third(again), again.request_id) == ({"name": "new endpoint"}, first.request_id)
    assert again.raw_keys[0].startswith("raw/app-1/some-source-v2-")
    cost = engine.health_of(paid(**changes)).cost
    assert (len(engine.http.calls), cost) == (2, "2.50" if "idempotent" in changes else "0.00")


def test_what_was_answered_for_nothing_may_be_asked_for_again(engine: Engine) -> None:
    answers(engine, {"error": "no_such_firm"}, 404)
    assert collect(engine, paid(response={"refusals": [NO_SUCH_FIRM]}), 1).outcome is Outcome.NO_DATA
    answers(engine, {"name": "made up"})
    assert collect(engine, paid(), 2).outcome is Outcome.COMPLETE
    assert (len(engine.http.calls), engine.health_of(paid()).cost) == (2, "2.50")


def test_an_answer_of_which_less_is_left_is_incomplete(engine: Engine) -> None:
    answers(engine, {"name": "made up"})
    collect(engine, paid(), 1)
    stricter = paid(**rule("{name: name, seat: seat}", "name", "seat"))
    again = collect(engine, stricter, 2)
    assert (again.outcome, again.missing, engine.third(again)) == (
        "incomplete", ["seat"], {"name": "made up", "seat": None},
    )  # fmt: skip
    assert len(engine.http.calls) == 1


def test_where_that_is_free_the_source_may_have_more(engine: Engine) -> None:
    answers(engine, {"name": "made up"})
    collect(engine, free(), 1)
    stricter = free(**rule("{name: name, seat: seat}", "name", "seat"))
    assert collect(engine, stricter, 2).missing == ["seat"]
    assert collect(engine, stricter, 2).cached, "it was asked for once"
    answers(engine, {"name": "made up", "seat": "somewhere"})
    assert collect(engine, stricter, 3).cached, "what was incomplete before is no worse"
    assert len(engine.http.calls) == 2


def test_what_counts_as_a_receipt_now_is_no_answer(engine: Engine) -> None:
    answers(engine, {"name": "made up"})
    collect(engine, paid(), 1)
    callback = {"message": "report.ready", "request_id": "data.id", "content": "data.report", "acknowledged": [200]}
    again = collect(engine, paid(callback=callback), 2)
    assert (again.outcome, again.reason) == ("unavailable", "answer is a receipt")


def late(**changes: Any) -> Channel:
    callback = {"message": "report.ready", "request_id": "data.id", "content": "data.report"}
    return paid(**{"callback": callback, **changes})


def message(result: CallResult) -> bytes:
    report = {"name": "made up", "title": "the right one"}
    return body({"type": "report.ready", "data": {"id": result.request_id, "report": report}})


def receive(engine: Engine, one: Channel, version: int, result: CallResult) -> None:
    assert engine.late.receive([ChannelVersion(one, version)], "report.ready", message(result)) is True


def test_late_answers_are_read_anew_as_messages(engine: Engine) -> None:
    answers(engine, {}, 202)
    first = collect(engine, late(), 1)
    receive(engine, late(), 1, first)
    again = collect(engine, late(**rule("{name: title}", "name")), 2)
    assert (again.outcome, again.channel_version, engine.third(again)) == ("complete", 2, {"name": "the right one"})
    assert engine.objects.get(again.raw_keys[0]) == message(first)
    unawaited = collect(engine, paid(), 3)
    assert (unawaited.outcome, unawaited.reason) == (
        "unavailable", "answer came late, which is not awaited",
    )  # fmt: skip
    assert len(engine.http.calls) == 1


def test_a_late_answer_says_by_which_version_it_was_read(engine: Engine) -> None:
    answers(engine, {}, 202)
    first = collect(engine, late(), 1)
    receive(engine, late(**rule("{name: title}")), 2, first)
    record = engine.record(first)
    assert (record.channel_version, engine.answers.third(record.third_key or "")) == (2, {"name": "the right one"})
    assert record.raw_keys[0].startswith("raw/app-1/some-source-v1-")


@pytest.fixture
def filed(aws_stack: aws.Stack) -> Engine:
    """With the machine's time: S3 dates its objects itself."""
    aws_stack.empty()
    return Engine(aws_stack, FixedClock(datetime.now(UTC)))


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_rows_of_a_file_are_read_anew_though_the_file_has_gone(filed: Engine, form: str) -> None:
    def listed(**changes: Any) -> Channel:
        transport = {"type": "batch_file", "prefix": "list", "format": form, "key_column": "id"}
        return channel(
            transport=transport, authentication={"type": "none"}, base_url=None, cache_seconds=600,
            **changes,
        )  # fmt: skip

    row = '{"id": "%s", "名": "字𠮷"}' if form == "jsonl" else "id,名\n%s,字𠮷\n"
    filed.objects.put("incoming/source/list-1", (row % FIRM).encode(), "text/plain")
    first = collect(filed, listed(**rule("{rows: rows}", "rows")), 1)
    assert first.outcome is Outcome.COMPLETE
    filed.objects.delete("incoming/source/list-1")
    changed = listed(response={"charset": "gb18030"}, **rule('{names: rows[]."名"}', "names"))
    again = collect(filed, changed, 2)
    assert (again.outcome, filed.third(again)) == ("complete", {"names": ["字𠮷"]})


def while_read(engine: Engine, happens: Any) -> None:
    """Let something happen once, while an answer is being read again."""
    keep = engine.answers.keep_third

    def interrupted(*arguments: Any) -> Any:
        engine.answers.keep_third = keep  # type: ignore[method-assign]
        kept = keep(*arguments)
        happens()
        return kept

    engine.answers.keep_third = interrupted  # type: ignore[method-assign]


@pytest.mark.parametrize("other", [2, 3])
def test_two_at_once_do_no_harm(engine: Engine, other: int) -> None:
    answers(engine, {"name": "made up", "title": "the right one"})
    collect(engine, paid(), 1)
    corrected = paid(**rule("{name: title}"))
    others: list[CallResult] = []
    while_read(engine, lambda: others.append(collect(engine, corrected, other)))
    mine = collect(engine, corrected, 2)
    assert [mine] == others
    assert (mine.channel_version, engine.third(mine)) == (other, {"name": "the right one"})
    assert engine.record(mine).third_key == mine.third_key


def test_a_withdrawal_meanwhile_leaves_nothing(engine: Engine) -> None:
    engine.consents.grant(FIRM, "some_scope")
    one = paid(consent_scope="some_scope")
    answers(engine, {"name": "made up"})
    first = collect(engine, one, 1)
    while_read(engine, lambda: engine.withdraw(one))
    again = collect(engine, one, 2)
    assert (again.outcome, again.third_key, len(engine.http.calls)) == ("no_consent", None, 1)
    assert list(engine.stack.documents()) == first.raw_keys


def test_a_withdrawal_erases_what_each_version_and_window_made(engine: Engine) -> None:
    engine.consents.grant(FIRM, "some_scope")
    one = paid(consent_scope="some_scope")
    answers(engine, {"name": "made up"})
    for version in (1, 2):
        collect(engine, one, version)
    engine.clock.advance(600)
    collect(engine, one, 2)
    assert len([key for key in engine.stack.documents() if key.startswith("third/")]) == 3
    engine.withdraw(one)
    assert [key for key in engine.stack.documents() if key.startswith("third/")] == []


def test_an_answer_that_another_window_followed_is_not_settled_over_it(engine: Engine) -> None:
    answers(engine, {"name": "made up"})
    collect(engine, paid(), 1)

    def next_window() -> None:
        engine.clock.advance(600)
        answers(engine, {"name": "newer"})
        collect(engine, paid(), 2)

    while_read(engine, next_window)
    assert engine.third(collect(engine, paid(), 2)) == {"name": "newer"}
    assert len(engine.http.calls) == 2


def test_without_its_raw_answer_it_stays_what_it_was_and_says_so(engine: Engine) -> None:
    answers(engine, {"name": "made up"})
    first = collect(engine, paid(), 1)
    engine.objects.delete(first.raw_keys[0])
    again = collect(engine, paid(**rule("{name: title}")), 2)
    assert again == first.model_copy(update={"cached": True, "third": None})


def test_a_call_whose_status_was_never_noted_stays_as_it_is(engine: Engine) -> None:
    answers(engine, {"name": "made up"})
    first = collect(engine, paid(), 1)
    key = {"call_key": first.call_key or ""}
    engine.tables.write(Update(engine.stack.refs["ChannelCalls"], key, set={}, remove=("status",)))
    again = collect(engine, paid(**rule("{name: title}")), 2)
    assert again == first.model_copy(update={"cached": True, "third": None})
