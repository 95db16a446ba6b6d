"""What was read under a consent is neither kept nor used beyond its end, whatever the cache allows (G11)."""

from __future__ import annotations

from typing import Any

import pytest

from creditmesh.gateway.channels.calls import CallRecord, CallState
from creditmesh.gateway.channels.document import Outcome
from creditmesh.gateway.channels.fetcher import LEAST_WINDOW_SECONDS, window_end
from creditmesh.kernel.clock import FixedClock
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.http import InstitutionUnavailable
from tests.support.world import NOW
from tests.unit.gateway.channels.engine import FIRM, ORIGIN, Engine, channel
from tests.unit.gateway.channels.test_late_answers import late, message, receive

GET = ("GET", ORIGIN)
HOUR, DAY = 3600, 86_400


def cached(**changes: Any) -> Any:
    return channel(**{"consent_scope": "some_scope", "cache_seconds": DAY, **changes})


def now(engine: Engine) -> int:
    return int(engine.clock.now().timestamp())


def claimed(consent_until: int | None) -> CallRecord:
    return CallRecord(
        call_key="k", channel_id="some-source", channel_version=1, state=CallState.CALLING, number=1, until=0,
        consent_until=consent_until,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cache", "cost", "consent", "window"),
    [
        (DAY, None, None, DAY),
        (DAY, None, HOUR, HOUR),
        (DAY, None, DAY - 1, DAY - 1),
        (DAY, None, DAY, DAY),
        (DAY, None, DAY + 1, DAY),
        (DAY, "2.50", HOUR, HOUR),
        (0, None, HOUR, 0),
        (0, "2.50", HOUR, LEAST_WINDOW_SECONDS),
        (0, "2.50", LEAST_WINDOW_SECONDS - 1, LEAST_WINDOW_SECONDS - 1),
        (0, "2.50", None, LEAST_WINDOW_SECONDS),
        (DAY, None, 0, 0),
        (DAY, None, -HOUR, -HOUR),
    ],
)
def test_a_window_ends_with_the_cache_or_the_consent_whichever_is_first(
    cache: int, cost: str | None, consent: int | None, window: int
) -> None:
    one = channel(cache_seconds=cache, cost=cost and {"amount": cost})
    begins = int(NOW.timestamp())
    record = claimed(None if consent is None else begins + consent)
    assert window_end(one, record, FixedClock(NOW)) == begins + window


@pytest.mark.parametrize("changes", [{}, {"cost": {"amount": "2.50"}}])
def test_an_answer_is_stored_until_the_consent_ends_at_most(engine: Engine, changes: dict[str, Any]) -> None:
    engine.http.answer(*GET, 200, {"name": "made up"})
    engine.consents.grant(FIRM, "some_scope", days=1 / 24)
    record = engine.record(engine.collect(cached(**changes)))
    assert (record.state, record.until, record.consent_until) == ("answered", now(engine) + HOUR, now(engine) + HOUR)


def test_so_is_what_may_have_been_charged(engine: Engine) -> None:
    engine.http.fail(*GET, InstitutionUnavailable("no_answer", error="ReadTimeoutError"))
    engine.consents.grant(FIRM, "some_scope", days=1 / 24)
    record = engine.record(engine.collect(cached(cost={"amount": "2.50"})))
    assert (record.state, record.until) == ("uncertain", now(engine) + HOUR)


def test_so_is_a_promised_answer(engine: Engine) -> None:
    engine.http.answer("POST", ORIGIN, 202, {})
    engine.consents.grant(FIRM, "some_scope", days=100 / DAY)
    record = engine.record(engine.collect(late()))
    assert (record.state, record.until) == ("pending", now(engine) + 100)


@pytest.mark.parametrize(("after", "outcome"), [(HOUR - 1, "complete"), (HOUR, "no_consent"), (HOUR + 1, "no_consent")])
def test_at_the_boundary(engine: Engine, after: int, outcome: str) -> None:
    engine.http.answer(*GET, 200, {"name": "made up"})
    engine.consents.grant(FIRM, "some_scope", days=1 / 24)
    engine.collect(cached())
    engine.clock.advance(after)
    result = engine.collect(cached(), by="app-2")
    assert (result.outcome, result.cached, result.third) == (outcome, outcome == "complete", None)
    assert len(engine.http.calls) == 1


@pytest.mark.parametrize("ends", ["renewed", "withdrawn and granted again", "expired and granted again"])
def test_under_a_new_consent_the_source_is_asked_again(engine: Engine, ends: str) -> None:
    engine.http.answer(*GET, 200, {"name": "old"})
    engine.consents.grant(FIRM, "some_scope", days=1 / 24)
    first = engine.collect(cached())
    if ends.startswith("withdrawn"):
        engine.withdraw(cached())
    elif ends.startswith("expired"):
        engine.clock.advance(HOUR)
    engine.consents.grant(FIRM, "some_scope")
    engine.http.answer(*GET, 200, {"name": "new"})
    second = engine.collect(cached(), by="app-2")
    assert (second.cached, engine.third(second), second.call_key == first.call_key) == (False, {"name": "new"}, False)


def test_a_consent_that_ends_between_the_collections_look_and_the_cache(engine: Engine) -> None:
    """The rights are read once for all channels; its answers are erased a moment after its end."""
    from tests.unit.gateway.channels.engine import subject

    engine.http.answer(*GET, 200, {"name": "made up"})
    engine.consents.grant(FIRM, "some_scope")
    engine.collect(cached())
    of = subject(by="app-2")
    rights = engine.caller.rights(of)
    engine.consents.withdraw(FIRM, "some_scope")
    result = engine.caller.collect(cached(), 1, of, rights)
    assert (result.outcome, result.reason, result.third_key) == ("no_consent", "withdrawn", None)


def test_data_without_a_consent_is_cached_as_long_as_its_document_says(engine: Engine) -> None:
    engine.http.answer(*GET, 200, {"name": "made up"})
    one = cached(consent_scope=None)
    engine.collect(one)
    engine.clock.advance(DAY - 1)
    assert engine.collect(one, by="app-2").cached
    engine.clock.advance(1)
    assert not engine.collect(one, by="app-3").cached


@pytest.mark.parametrize(("after", "taken"), [(99, True), (100, False), (200, False)])
def test_an_answer_that_comes_after_the_consents_end_is_not_kept(engine: Engine, after: int, taken: bool) -> None:
    engine.http.answer("POST", ORIGIN, 202, {})
    engine.consents.grant(FIRM, "some_scope", days=100 / DAY)
    one = late()
    result = engine.collect(one)
    engine.wait("token-1", result)
    engine.clock.advance(after)
    if taken:
        assert receive(engine, one, message(result.request_id))
        assert engine.record(result).until == now(engine) + 1
    else:
        with pytest.raises(NotFound):
            receive(engine, one, message(result.request_id))
        assert (engine.stored_calls(), engine.stack.documents()) == ([], {})
    assert engine.steps.succeeded == {"token-1": {}}, "who waits goes on"
    assert engine.collect(one, by="app-2").outcome is (Outcome.COMPLETE if taken else Outcome.NO_CONSENT)
