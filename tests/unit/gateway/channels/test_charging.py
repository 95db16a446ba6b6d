"""What costs something is asked for once: for one firm, consent and window, whatever goes wrong (G05, G11, G13)."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from creditmesh.gateway.channels.calls import CallState
from creditmesh.gateway.channels.document import Channel, Outcome
from creditmesh.kernel.clock import FixedClock
from creditmesh.platform.http import Answer, InstitutionUnavailable
from tests.support import aws
from tests.support.world import NOW
from tests.unit.gateway.channels.engine import FIRM, ORIGIN, Engine, body, channel

URL = f"{ORIGIN}/firms"
PAID: dict[str, Any] = {
    "transport": {"type": "rest", "path": "/firms", "headers": {"x-request-id": "{{request_id}}"}},
    "cost": {"amount": "2.50"}, "retry": {"attempts": 3}, "cache_seconds": 600,
}  # fmt: skip
TIMED_OUT = InstitutionUnavailable("no_answer", error="ReadTimeoutError")
REFUSED = InstitutionUnavailable("no_answer", error="NewConnectionError", sent=False)


def paid(**changes: Any) -> Channel:
    return channel(**{**PAID, **changes})


def sequence(engine: Engine, *steps: Any) -> None:
    """Let the source answer so, one after the other; the last one for ever."""
    left = list(steps)

    def respond(_: Any) -> Answer:
        step = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, Answer) else Answer(200, body(step))

    engine.http.routes["POST", URL] = respond


def request_ids(engine: Engine) -> list[str]:
    return [call.headers["x-request-id"] for call in engine.http.calls]


def test_what_may_have_been_charged_is_not_asked_again_within_the_window(engine: Engine) -> None:
    sequence(engine, TIMED_OUT, {"name": "made up"})
    first = engine.collect(paid(fallback_channel="another"))
    again = engine.collect(paid(fallback_channel="another"))
    assert (first.outcome, first.reason) == ("unavailable", "no answer: ReadTimeoutError")
    assert (again.outcome, again.reason) == ("unavailable", "may_have_been_charged")
    assert (first.fallback_channel, again.fallback_channel, len(engine.http.calls)) == ("another", "another", 1)
    assert engine.health_of(paid()).cost == "2.50", "reckoned as spent until the bill says otherwise"
    engine.clock.advance(600)
    assert engine.collect(paid()).outcome is Outcome.COMPLETE
    assert len(set(request_ids(engine))) == 2, "a new window is a new request"


@pytest.mark.parametrize("failure", [500, 502, 504, TIMED_OUT, InstitutionUnavailable("answer_too_long")])
def test_a_paid_call_that_was_sent_is_made_once(engine: Engine, failure: Any) -> None:
    sequence(engine, Answer(failure, b"") if isinstance(failure, int) else failure)
    assert engine.collect(paid()).outcome is Outcome.UNAVAILABLE
    assert len(engine.http.calls) == 1
    assert engine.stored_calls()[0]["state"] == "uncertain"


@pytest.mark.parametrize("failure", [429, 503, REFUSED])
def test_what_was_not_carried_out_is_tried_again(engine: Engine, failure: Any) -> None:
    turned_away = Answer(failure, b"") if isinstance(failure, int) else failure
    sequence(engine, turned_away, turned_away, {"name": "made up"})
    assert engine.collect(paid()).outcome is Outcome.COMPLETE
    assert len(engine.http.calls) == 3
    assert (engine.health_of(paid()).calls, engine.health_of(paid()).cost) == (3, "2.50")


@pytest.mark.parametrize("failure", [429, 503, REFUSED])
def test_what_was_never_carried_out_is_free_at_once(engine: Engine, failure: Any) -> None:
    sequence(engine, Answer(failure, b"") if isinstance(failure, int) else failure)
    engine.collect(paid())
    assert (engine.stored_calls()[0]["state"], engine.health_of(paid()).cost) == ("failed", "0.00")
    sequence(engine, {"name": "made up"})
    assert engine.collect(paid()).outcome is Outcome.COMPLETE
    assert len(set(request_ids(engine))) == 1


def test_where_the_source_knows_a_request_again_it_is_repeated_under_its_id(engine: Engine) -> None:
    sequence(engine, TIMED_OUT, Answer(500, b""), TIMED_OUT, {"name": "made up"})
    one = paid(idempotent=True)
    assert engine.collect(one).outcome is Outcome.UNAVAILABLE
    assert engine.collect(one).outcome is Outcome.COMPLETE
    assert len(request_ids(engine)) == 4
    assert len(set(request_ids(engine))) == 1
    assert engine.health_of(one).cost == "2.50"


def test_each_window_of_a_source_that_knows_requests_again_costs_once(engine: Engine) -> None:
    sequence(engine, {"name": "made up"})
    one = paid(idempotent=True)
    for _ in range(3):
        assert engine.collect(one).outcome is Outcome.COMPLETE
        engine.clock.advance(600)
    assert len(set(request_ids(engine))) == 3
    assert engine.health_of(one).cost == "7.50"


def test_what_was_paid_once_under_an_id_is_not_counted_again_after_a_free_answer(engine: Engine) -> None:
    """The source knows the request again; its charge stands, whatever it answers in between."""
    sequence(engine, Answer(200, b"<html>"), Answer(429, b""), {"name": "made up"})
    one = paid(idempotent=True, retry={"attempts": 1})
    assert [engine.collect(one).outcome for _ in "123"] == ["unavailable", "unavailable", "complete"]
    assert (len(set(request_ids(engine))), engine.health_of(one).cost) == (1, "2.50")


def test_what_costs_nothing_is_asked_again_at_once(engine: Engine) -> None:
    sequence(engine, TIMED_OUT, {"name": "made up"})
    one = channel(transport=PAID["transport"], cache_seconds=600)
    assert [engine.collect(one).outcome for _ in "12"] == ["unavailable", "complete"]


def test_a_paid_answer_that_cannot_be_read_is_not_bought_again(engine: Engine) -> None:
    sequence(engine, Answer(200, b"<html>"))
    first, again = engine.collect(paid()), engine.collect(paid())
    assert (first.outcome, first.reason) == ("unavailable", "answer is not JSON")
    assert (again.outcome, again.cached, again.raw_keys) == ("unavailable", True, first.raw_keys)
    assert len(engine.http.calls) == 1
    sequence(engine, Answer(200, b"<html>"), {"name": "made up"})
    idempotent = paid(channel_id="other-source", idempotent=True)
    assert [engine.collect(idempotent).outcome for _ in "12"] == ["unavailable", "complete"]


def test_a_failure_on_a_later_page_may_have_cost_the_first(engine: Engine) -> None:
    """Though the last call itself never went out."""
    paging = {"items": "items", "next": "next"}
    one = paid(transport={"type": "rest", "method": "GET", "path": "/firms", "paging": paging})
    pages = iter([Answer(200, body({"items": [], "next": "2"})), REFUSED])

    def respond(_: Any) -> Answer:
        page = next(pages, REFUSED)
        if isinstance(page, Exception):
            raise page
        return page

    engine.http.routes["GET", URL] = respond
    assert engine.collect(one).outcome is Outcome.UNAVAILABLE
    assert engine.collect(one).reason == "may_have_been_charged"
    assert engine.stored_calls()[0]["state"] == "uncertain"


def test_a_token_that_is_not_issued_costs_nothing(engine: Engine) -> None:
    from creditmesh.platform.institutions import Keys

    engine.book.keys["source"] = Keys(secrets={"client_secret": "made-up-client-secret"})
    one = paid(authentication={"type": "oauth2", "token_path": "/token"}, retry={"attempts": 1})
    engine.http.fail("POST", f"{ORIGIN}/token", TIMED_OUT)
    assert engine.collect(one).reason == "issues no token: no answer: ReadTimeoutError"
    assert (engine.stored_calls()[0]["state"], engine.health_of(one).cost) == ("failed", "0.00")


def test_an_answer_is_fresh_for_its_window(engine: Engine) -> None:
    sequence(engine, {"name": "made up"})
    first, again, elsewhere = engine.collect(paid()), engine.collect(paid()), engine.collect(paid(), by="app-2")
    assert (first.cached, again.cached, elsewhere.cached) == (False, True, True)
    assert again == first.model_copy(update={"cached": True, "third": None})
    engine.clock.advance(599)
    assert engine.collect(paid()).cached
    engine.clock.advance(1)
    assert not engine.collect(paid()).cached
    assert len(engine.http.calls) == 2


def test_without_a_cache_each_collection_asks(engine: Engine) -> None:
    sequence(engine, {"name": "made up"})
    free = paid(cost=None, cache_seconds=0)
    engine.collect(free)
    engine.collect(free)
    assert len(engine.http.calls) == 2


def test_what_costs_something_is_kept_for_a_minute_at_least(engine: Engine) -> None:
    sequence(engine, {"name": "made up"})
    engine.collect(paid(cache_seconds=0))
    assert engine.collect(paid(cache_seconds=0)).cached
    engine.clock.advance(60)
    assert not engine.collect(paid(cache_seconds=0)).cached


def test_other_firms_and_other_questions_are_other_calls(engine: Engine) -> None:
    sequence(engine, {"name": "made up"})
    one = paid(fields={"taxpayer_id": {}, "person_name": {"optional": True}})
    engine.collect(one)
    assert not engine.collect(one, person_name="somebody").cached
    assert not engine.collect(one, "91990000600000002A").cached
    assert not engine.collect(paid(channel_id="another-source")).cached
    assert len(set(request_ids(engine))) == 4


def test_an_answer_is_never_kept_longer_than_its_consent(engine: Engine) -> None:
    sequence(engine, {"name": "made up"})
    one = paid(consent_scope="some_scope", cache_seconds=86_400)
    engine.consents.grant(FIRM, "some_scope", days=1 / 24)
    engine.collect(one)
    engine.clock.advance(3599)
    assert engine.collect(one).cached
    engine.clock.advance(1)
    assert engine.collect(one).outcome is Outcome.NO_CONSENT
    engine.consents.grant(FIRM, "some_scope")
    assert not engine.collect(one).cached
    assert len(engine.http.calls) == 2


def test_a_new_consent_is_a_new_call(engine: Engine) -> None:
    sequence(engine, {"name": "made up"})
    one = paid(consent_scope="some_scope")
    engine.consents.grant(FIRM, "some_scope")
    engine.collect(one)
    engine.consents.grant(FIRM, "some_scope")
    assert not engine.collect(one).cached
    assert len(set(request_ids(engine))) == 2


def test_a_withdrawal_erases_what_was_cached(engine: Engine) -> None:
    sequence(engine, {"name": "made up"})
    one, public = paid(consent_scope="some_scope"), paid(channel_id="public-source")
    engine.consents.grant(FIRM, "some_scope")
    engine.consents.grant("91990000600000002A", "some_scope")
    first, other, open_ = engine.collect(one), engine.collect(one, "91990000600000002A"), engine.collect(public)
    assert engine.withdraw(one) == 1
    assert engine.calls.find(first.call_key or "") is None
    assert first.third_key not in engine.stack.documents()
    assert first.raw_keys[0] in engine.stack.documents(), "a decision may rest on it"
    assert engine.third(other) == engine.third(open_) == {"name": "made up"}
    assert engine.cache.erase("another-authorization") == 0


@pytest.fixture
def threaded(aws_stack: aws.Stack) -> Engine:
    """Clock that stands still, so that what happens in one second happens at the same instant; real waiting."""
    aws_stack.empty()
    return Engine(aws_stack, FixedClock(NOW), sleep=lambda seconds: time.sleep(min(seconds, 0.02)))


@pytest.mark.parametrize("names", [["app-1"] * 6, [f"app-{number}" for number in range(6)]])
def test_many_collections_at_once_make_one_call(threaded: Engine, names: list[str]) -> None:
    """Also those of one application: a step that is repeated has the same name and may start in the same second."""
    started = threading.Barrier(len(names))

    def slow(_: Any) -> Answer:
        time.sleep(0.3)
        return Answer(200, body({"name": "made up"}))

    threaded.http.routes["POST", URL] = slow
    results: list[Any] = []

    def collect(name: str) -> None:
        started.wait()
        results.append(threaded.collect(paid(), by=name))

    threads = [threading.Thread(target=collect, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(threaded.http.calls) == 1
    assert [one.outcome for one in results] == ["complete"] * len(names)
    assert sorted(one.cached for one in results) == [False] + [True] * (len(names) - 1)


def crash(engine: Engine, one: Channel) -> None:
    """Die in the middle of a call."""

    class Killed(BaseException):
        """As a function that runs out of its time."""

    def die(_: Any) -> Answer:
        raise Killed

    engine.http.routes["POST", URL] = die
    with pytest.raises(Killed):
        engine.collect(one)


@pytest.mark.parametrize("changes", [{"cost": None}, {"idempotent": True}])
def test_after_a_crash_the_lease_ends_and_the_call_is_made_again_under_its_id(
    engine: Engine, changes: dict[str, Any]
) -> None:
    one = paid(**changes)
    crash(engine, one)
    sequence(engine, {"name": "made up"})
    early = engine.collect(one, by="app-2")
    assert (early.outcome, early.reason) == ("unavailable", "in_progress")
    engine.clock.advance(30)
    assert engine.collect(one, by="app-2").outcome is Outcome.COMPLETE
    assert len(set(request_ids(engine))) == 1


def test_after_a_crash_nobody_knows_whether_it_was_charged(engine: Engine) -> None:
    crash(engine, paid())
    sequence(engine, {"name": "made up"})
    engine.clock.advance(30)
    assert engine.collect(paid()).reason == "may_have_been_charged"
    assert len(engine.http.calls) == 1
    engine.clock.advance(600)
    assert engine.collect(paid()).outcome is Outcome.COMPLETE
    assert len(set(request_ids(engine))) == 2


def test_who_waited_for_another_has_a_whole_lease(engine: Engine) -> None:
    """Counted from the take-over, and long enough for the wait for a place in the rate and the call."""
    one = paid(idempotent=True, limits={"total_seconds": 20})
    crash(engine, one)
    left = engine.stored_calls()[0]["until"] - int(engine.clock.now().timestamp())
    assert left >= 40
    engine.clock.advance(left - 10)
    sequence(engine, {"name": "made up"})
    seen = []

    def look(_: Any) -> Answer:
        seen.append(engine.stored_calls()[0]["until"] - int(engine.clock.now().timestamp()))
        return Answer(200, body({"name": "made up"}))

    engine.http.routes["POST", URL] = look
    assert engine.collect(one, by="app-2").outcome is Outcome.COMPLETE
    assert seen[0] >= 40


def test_who_lost_his_lease_spoils_nothing(engine: Engine) -> None:
    one = paid(idempotent=True)

    def overtaken(_: Any) -> Answer:
        engine.clock.advance(60)
        sequence(engine, {"name": "second"})
        assert engine.collect(one, by="app-2").outcome is Outcome.COMPLETE
        return Answer(200, body({"name": "first"}))

    engine.http.routes["POST", URL] = overtaken
    result = engine.collect(one)
    assert (result.outcome, engine.third(result)) == ("complete", {"name": "second"})
    assert engine.record(result).state is CallState.ANSWERED
    assert len(set(request_ids(engine))) == 1
    assert [key for key in engine.stack.documents() if key.startswith("third/")] == [result.third_key]
