"""Answers that come later: once each, before or after their receipt, or never (G07)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from creditmesh.gateway.channels.catalogue import ChannelVersion
from creditmesh.gateway.channels.document import Channel, Outcome
from creditmesh.gateway.channels.results import result_of
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.http import Answer, InstitutionUnavailable
from tests.unit.gateway.channels.engine import FIRM, ORIGIN, Engine, channel

URL = f"{ORIGIN}/enquiries"


def late(**changes: Any) -> Channel:
    made = {
        "transport": {"type": "rest", "path": "/enquiries", "body": {"id": "{{request_id}}"}},
        "callback": {"message": "report.ready", "request_id": "data.id", "content": "data.report", "seconds": 300},
        "consent_scope": "some_scope", "cost": {"amount": "8.00"}, "cache_seconds": 3600,
        "response": {"schema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}},
        "structure": {"rule": "{name: name, amount: amount}", "complete": ["name"]},
    }  # fmt: skip
    return channel(**{**made, **changes})


@pytest.fixture(autouse=True)
def asked(engine: Engine) -> None:
    engine.consents.grant(FIRM, "some_scope")
    engine.http.answer("POST", URL, 202, {"enquiry": 1})


def message(request_id: Any, report: Any = None) -> bytes:
    data = {"id": request_id, "report": {"name": "made up", "amount": 1} if report is None else report}
    return json.dumps({"type": "report.ready", "data": data}).encode()


def receive(engine: Engine, one: Channel, body: bytes) -> bool:
    return engine.late.receive([ChannelVersion(one, 1)], "report.ready", body)


def test_pending_until_answered(engine: Engine) -> None:
    one = late()
    result = engine.collect(one)
    assert (result.outcome, result.wait_seconds, result.raw_keys) == ("pending", 300, [])
    assert engine.collect(one).outcome is Outcome.PENDING
    engine.wait("token-1", result)
    assert engine.steps.succeeded == {}
    body = message(result.request_id)
    assert receive(engine, one, body) is True
    assert engine.steps.succeeded == {"token-1": {}}
    found = result_of(one, engine.record(result))
    assert (found.outcome, engine.third(found)) == ("complete", {"name": "made up", "amount": 1})
    assert engine.objects.get(found.raw_keys[0]) == body
    assert engine.collect(one).cached
    assert len(engine.http.calls) == 1


def test_a_repeat_changes_nothing(engine: Engine) -> None:
    one = late()
    request_id = engine.collect(one).request_id
    assert receive(engine, one, message(request_id)) is True
    assert receive(engine, one, message(request_id, {"name": "other"})) is False
    assert engine.third(engine.collect(one))["name"] == "made up"


def test_who_comes_to_wait_after_the_answer_does_not_wait(engine: Engine) -> None:
    one = late()
    result = engine.collect(one)
    receive(engine, one, message(result.request_id))
    engine.wait("token-1", result)
    assert engine.steps.succeeded == {"token-1": {}}
    engine.wait("token-2", result)
    assert engine.steps.succeeded == {"token-1": {}, "token-2": {}}, "a repeated step goes on too"


def test_the_last_of_several_answers_ends_the_wait(engine: Engine) -> None:
    one, other = late(), late(channel_id="another-source")
    results = [engine.collect(one), engine.collect(other)]
    receive(engine, one, message(results[0].request_id))
    engine.wait("token-1", *results)
    receive(engine, one, message(results[0].request_id))
    assert engine.steps.succeeded == {}
    receive(engine, other, message(results[1].request_id))
    assert engine.steps.succeeded == {"token-1": {}}


def test_all_who_wait_for_one_call_go_on(engine: Engine) -> None:
    """A second application of the firm meets the call that the first has made."""
    one = late()
    first, second = engine.collect(one), engine.collect(one, by="app-2")
    engine.collect(one, by="app-2")
    assert (first.awaited, engine.record(first).owners) == (second.awaited, ["app-1", "app-2"])
    engine.wait("token-1", first)
    engine.wait("token-2", second, owner="app-2")
    receive(engine, one, message(first.request_id))
    assert engine.steps.succeeded == {"token-1": {}, "token-2": {}}


def test_who_waited_in_a_window_is_not_told_of_the_next(engine: Engine) -> None:
    one = late()
    first = engine.collect(one)
    engine.collect(one, by="app-2")
    receive(engine, one, message(first.request_id))
    engine.clock.advance(3600)
    second = engine.collect(one, by="app-3")
    assert (second.outcome, engine.record(second).owners) == ("pending", ["app-3"])


def test_an_index_that_still_knows_the_window_before_gives_no_call(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = late()
    first = engine.collect(one)
    receive(engine, one, message(first.request_id))
    engine.clock.advance(3600)
    engine.collect(one)
    monkeypatch.setattr(engine.tables, "query", lambda *_, **__: iter([{"call_key": first.call_key}]))
    assert engine.calls.of_request(str(first.request_id)) is None


def test_who_joins_while_the_answer_comes_has_it(engine: Engine) -> None:
    one = late()
    first = engine.collect(one)
    join = engine.calls.join

    def answered_before(record: Any, owner: str) -> Any:
        receive(engine, one, message(first.request_id))
        return join(record, owner)

    engine.calls.join = answered_before  # type: ignore[method-assign]
    assert engine.collect(one, by="app-2").outcome is Outcome.COMPLETE


def test_who_joins_while_the_answer_is_stored_is_told(engine: Engine) -> None:
    one = late()
    first = engine.collect(one)
    keep = engine.answers.keep

    def keep_and_join(*arguments: Any) -> Any:
        second = engine.collect(one, by="app-2")
        engine.wait("token-2", second, owner="app-2")
        return keep(*arguments)

    engine.answers.keep = keep_and_join  # type: ignore[method-assign]
    assert receive(engine, one, message(first.request_id)) is True
    assert engine.steps.succeeded == {"token-2": {}}


def test_who_joins_while_a_withdrawal_erases_the_call_is_told(engine: Engine) -> None:
    one = late()
    first = engine.collect(one)
    forget = engine.calls.forget

    def join_and_forget(record: Any) -> Any:
        assert engine.calls.join(record, "app-2").owners == ["app-1", "app-2"]
        engine.wait("token-2", first, owner="app-2")
        return forget(record)

    engine.calls.forget = join_and_forget  # type: ignore[method-assign]
    engine.withdraw(one)
    assert engine.steps.succeeded == {"token-2": {}}


def test_a_repeat_tells_again_in_case_the_first_died_before_it_did(engine: Engine) -> None:
    one = late()
    result = engine.collect(one)
    engine.wait("token-1", result)
    engine.steps.refuse = "ThrottlingException"
    with pytest.raises(Exception, match="Throttling"):
        receive(engine, one, message(result.request_id))
    engine.steps.refuse = None
    assert receive(engine, one, message(result.request_id)) is False
    assert engine.steps.succeeded == {"token-1": {}}


def test_an_answer_before_its_receipt_is_not_lost(engine: Engine) -> None:
    """A quick institution calls back before it has answered the enquiry."""
    one = late()

    def at_once(call: Any) -> Answer:
        assert receive(engine, one, message(call.json()["id"])) is True
        return Answer(202, b"{}")

    engine.http.routes["POST", URL] = at_once
    result = engine.collect(one)
    assert (result.outcome, engine.third(result)["name"]) == ("complete", "made up")


def test_an_answer_to_a_call_that_timed_out_is_taken(engine: Engine) -> None:
    one = late()
    engine.http.fail("POST", URL, InstitutionUnavailable("no_answer", error="ReadTimeoutError"))
    result = engine.collect(one)
    assert (result.outcome, engine.collect(one).reason) == ("unavailable", "may_have_been_charged")
    assert receive(engine, one, message(result.request_id)) is True
    assert engine.collect(one).outcome is Outcome.COMPLETE
    assert len(engine.http.calls) == 1


def test_an_answer_during_a_call_that_times_out_is_taken(engine: Engine) -> None:
    one = late()

    def at_once(call: Any) -> Answer:
        receive(engine, one, message(call.json()["id"]))
        raise InstitutionUnavailable("no_answer", error="ReadTimeoutError")

    engine.http.routes["POST", URL] = at_once
    assert engine.collect(one).outcome is Outcome.COMPLETE


def test_an_answer_that_never_comes_is_not_bought_again(engine: Engine) -> None:
    one = late()
    first = engine.collect(one)
    engine.clock.advance(300)
    assert engine.collect(one).reason == "may_have_been_charged"
    assert len(engine.http.calls) == 1
    assert receive(engine, one, message(first.request_id)) is True, "later still, it is welcome"
    assert engine.collect(one).outcome is Outcome.COMPLETE


def test_where_a_request_is_known_again_it_is_asked_again(engine: Engine) -> None:
    one = late(idempotent=True)
    first = engine.collect(one)
    engine.clock.advance(300)
    again = engine.collect(one)
    assert (again.outcome, again.request_id, len(engine.http.calls)) == ("pending", first.request_id, 2)
    assert again.awaited != first.awaited, "what was told of the first try ends no wait for the second"


@pytest.mark.parametrize("idempotent", [True, False])
def test_an_answer_that_cannot_be_read_is_kept_and_named(engine: Engine, idempotent: bool) -> None:
    one = late(idempotent=idempotent)
    result = engine.collect(one)
    assert receive(engine, one, message(result.request_id, {"name": 7})) is True
    record = engine.record(result)
    assert (record.outcome, record.cause and record.cause.text, len(record.raw_keys)) == (
        "unavailable",
        "answer name: breaks type",
        1,
    )
    again = engine.collect(one)
    assert again.outcome is (Outcome.PENDING if idempotent else Outcome.UNAVAILABLE)
    assert len(engine.http.calls) == 1 + idempotent


def test_an_incomplete_answer_is_named(engine: Engine) -> None:
    one = late(response={})
    result = engine.collect(one)
    receive(engine, one, message(result.request_id, {"amount": 1}))
    assert engine.collect(one).missing == ["name"]


def test_amounts_keep_each_digit(engine: Engine) -> None:
    one = late()
    result = engine.collect(one)
    amount = "12345678901234567.89"
    receive(engine, one, message(result.request_id).replace(b'"amount": 1', b'"amount": ' + amount.encode()))
    assert Decimal(engine.third(engine.collect(one))["amount"]) == Decimal(amount)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (message("req_unknown"), NotFound),
        (message(""), InvalidInput),
        (message(7), InvalidInput),
        (message(None), InvalidInput),
        (message("\ud83d"), InvalidInput),
        (message("req_\0"), InvalidInput),
        (message("x" * 3000), InvalidInput),
        (b'{"data": []}', InvalidInput),
        (b"[" * 5000, InvalidInput),
        (b"\xff", InvalidInput),
    ],
)
def test_what_belongs_to_no_call_is_refused(engine: Engine, body: bytes, error: type[Exception]) -> None:
    engine.collect(late())
    with pytest.raises(error):
        receive(engine, late(), body)


def test_a_message_that_nobody_awaits_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidInput):
        engine.late.receive([ChannelVersion(late(), 1)], "report.delayed", message("x"))
    with pytest.raises(InvalidInput):
        engine.late.receive([ChannelVersion(channel(), 1)], "report.ready", message("x"))


def test_an_institution_answers_its_own_calls_only(engine: Engine) -> None:
    request_id = engine.collect(late()).request_id
    with pytest.raises(NotFound):
        receive(engine, late(channel_id="another-source"), message(request_id))


def test_two_channels_may_await_the_same_message(engine: Engine) -> None:
    one, other = late(), late(channel_id="another-source")
    request_id = engine.collect(other).request_id
    both = [ChannelVersion(one, 1), ChannelVersion(other, 1)]
    assert engine.late.receive(both, "report.ready", message(request_id)) is True
    assert engine.collect(other).outcome is Outcome.COMPLETE


def test_an_answer_of_an_earlier_window_is_not_taken_for_this_ones(engine: Engine) -> None:
    one = late()
    first = engine.collect(one)
    receive(engine, one, message(first.request_id))
    engine.clock.advance(3600)
    second = engine.collect(one)
    assert (second.outcome, second.request_id != first.request_id) == ("pending", True)
    with pytest.raises(NotFound):
        receive(engine, one, message(first.request_id, {"name": "old"}))
    assert engine.collect(one).outcome is Outcome.PENDING


def test_a_withdrawal_ends_the_wait_and_the_answer_is_not_kept(engine: Engine) -> None:
    one = late()
    result = engine.collect(one)
    engine.wait("token-1", result)
    assert engine.withdraw(one) == 1
    assert engine.steps.succeeded == {"token-1": {}}
    with pytest.raises(NotFound):
        receive(engine, one, message(result.request_id))
    assert (engine.stored_calls(), engine.stack.documents()) == ([], {})


def test_a_withdrawal_while_the_answer_is_stored_keeps_nothing(engine: Engine) -> None:
    one = late()
    result = engine.collect(one)
    keep = engine.answers.keep

    def keep_and_withdraw(*arguments: Any) -> Any:
        kept = keep(*arguments)
        engine.withdraw(one)
        return kept

    engine.answers.keep = keep_and_withdraw  # type: ignore[method-assign]
    assert receive(engine, one, message(result.request_id)) is False
    assert (engine.stored_calls(), engine.stack.documents()) == ([], {})


def test_a_pending_answer_is_one_collection(engine: Engine) -> None:
    one = late()
    result = engine.collect(one)
    assert engine.health_of(one).success_bps is None
    receive(engine, one, message(result.request_id))
    health = engine.health_of(one)
    assert (health.collections, health.calls, health.cost, health.success_bps) == (1, 1, "8.00", 10_000)
    assert health.outcomes == {"pending": 1, "complete": 1}


def test_a_late_answer_that_could_not_be_read_is_read_by_a_corrected_document(engine: Engine) -> None:
    one = late(response={"schema": {"type": "object", "required": ["title"]}})
    pending = engine.collect(one)
    assert receive(engine, one, message(pending.request_id)) is True
    assert engine.collect(one).outcome is Outcome.UNAVAILABLE
    again = engine.collect(late(), version=2)
    assert (again.outcome, engine.third(again)) == ("complete", {"name": "made up", "amount": 1})
    assert len(engine.http.calls) == 1
