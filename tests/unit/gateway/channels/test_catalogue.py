"""Channels and plans in versions, as operators keep them (G02)."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creditmesh.gateway.channels.catalogue import CACHE_SECONDS
from creditmesh.gateway.channels.document import Channel
from creditmesh.gateway.channels.plans import CollectionPlan
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.documents import VersionConflict
from creditmesh.platform.tables import Update
from tests.unit.gateway.channels.engine import Engine, channel


def put(engine: Engine, based_on: int | None = None, **changes: Any) -> int:
    return engine.catalogue.put(channel(**changes), "operator-1", based_on).version


def test_a_document_is_in_force_as_written(engine: Engine) -> None:
    assert put(engine, 0, title="First title") == 1
    found = engine.catalogue.channel("some-source")
    assert (found.channel, found.version) == (channel(title="First title"), 1)
    assert put(engine, 1, title="Second title") == 2
    assert engine.catalogue.channel("some-source").channel.title == "Second title"
    assert engine.catalogue.stored("some-source", 1).document["title"] == "First title"
    stored = engine.catalogue.stored("some-source")
    assert (stored.version, stored.written_by, stored.written_at) == (2, "operator-1", "2026-11-21T08:00:00.000Z")
    assert [one.version for one in engine.catalogue.all()] == [2]


def test_who_has_not_seen_the_last_version_is_told(engine: Engine) -> None:
    put(engine, 0)
    for based_on in (0, 2):
        with pytest.raises(VersionConflict):
            put(engine, based_on, title="Other title")
    assert put(engine, 1, title="Other title") == 2
    assert put(engine, 1, title="Other title") == 2, "the same change once more is no conflict"
    assert put(engine, None, title="Third title") == 3


def test_of_two_at_once_one_is_told(engine: Engine) -> None:
    put(engine, 0)
    other = engine.catalogue._channels
    read = other._tables.get

    def read_and_lose(*arguments: Any) -> Any:
        found = read(*arguments)
        other._tables.get = read  # type: ignore[method-assign]
        put(engine, 1, title="Quicker title")
        return found

    other._tables.get = read_and_lose  # type: ignore[method-assign]
    with pytest.raises(VersionConflict):
        put(engine, 1, title="Slower title")
    assert engine.catalogue.stored("some-source").document["title"] == "Quicker title"


@pytest.mark.parametrize(("channel_id", "version"), [("nobody", None), ("some-source", 2), ("nobody", 1)])
def test_what_is_not_there(engine: Engine, channel_id: str, version: int | None) -> None:
    put(engine, 0)
    with pytest.raises(NotFound):
        engine.catalogue.stored(channel_id, version)
    with pytest.raises(NotFound):
        engine.catalogue.channel("nobody")


def test_a_change_is_in_force_elsewhere_within_seconds(engine: Engine) -> None:
    put(engine, 0, title="First title")
    elsewhere = Engine(engine.stack, engine.clock, monotonic=engine.monotonic)
    assert elsewhere.catalogue.channel("some-source").channel.title == "First title"
    put(engine, 1, title="Second title")
    assert elsewhere.catalogue.channel("some-source").channel.title == "First title"
    engine.clock.advance(CACHE_SECONDS + 1)
    assert elsewhere.catalogue.channel("some-source").channel.title == "Second title"


def test_a_foreign_origin_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="allow-listed"):
        put(engine, base_url="https://evil.example")
    with pytest.raises(InvalidInput, match="is required"):
        put(engine, base_url=None)
    engine.book.addresses["source"] = "https://book.example"
    with pytest.raises(InvalidInput, match="differs"):
        put(engine)
    assert put(engine, base_url=None) == 1


def test_a_fallback_is_there_of_the_same_kind_and_leads_on(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="must be a channel"):
        put(engine, fallback_channel="second-source")
    put(engine, channel_id="second-source", kind="other_kind")
    with pytest.raises(InvalidInput, match="must be of kind some_kind"):
        put(engine, fallback_channel="second-source")
    put(engine, channel_id="second-source")
    assert put(engine, fallback_channel="second-source") == 1
    put(engine, channel_id="third-source", fallback_channel="some-source")
    with pytest.raises(InvalidInput, match="must not lead back"):
        put(engine, channel_id="second-source", fallback_channel="third-source")
    with pytest.raises(InvalidInput, match="must not lead back"):
        put(engine, channel_id="second-source", fallback_channel="some-source")


def test_a_broken_document_puts_itself_out_of_order_only(engine: Engine, log_output: io.StringIO) -> None:
    put(engine, channel_id="good-source")
    put(engine, channel_id="bad-source")
    key = {"document_id": "channel#bad-source", "version": "current"}
    engine.tables.write(Update(engine.stack.refs["Documents"], key, set={"document": '{"channel_id": "bad-source"}'}))
    engine.clock.advance(10)
    assert [one.channel.channel_id for one in engine.catalogue.all()] == ["good-source"]
    with pytest.raises(NotFound):
        engine.catalogue.channel("bad-source")
    with pytest.raises(InvalidInput, match="must be a channel"):
        put(engine, channel_id="third-source", fallback_channel="bad-source")
    assert '"channel":"bad-source"' in log_output.getvalue()


def test_an_institutions_channels(engine: Engine) -> None:
    put(engine, channel_id="first-source")
    put(engine, channel_id="second-source")
    put(engine, channel_id="third-source", institution="another")
    found = engine.catalogue.of_institution("source")
    assert [(one.channel.channel_id, one.version) for one in found] == [("first-source", 1), ("second-source", 1)]


def test_plans_name_channels_that_are_there(engine: Engine) -> None:
    put(engine, channel_id="first-source")
    plan = CollectionPlan.model_validate(
        {"plan_id": "small", "channels": [{"channel_id": "first-source", "required": True}, {"channel_id": "nobody"}]}
    )
    with pytest.raises(InvalidInput) as refusal:
        engine.catalogue.put_plan(plan, "operator-1", 0)
    assert refusal.value.field == "channels.1.channel_id"
    good = plan.model_copy(update={"channels": plan.channels[:1]})
    assert engine.catalogue.put_plan(good, "operator-1", 0).version == 1
    assert engine.catalogue.plan("small") == good
    with pytest.raises(NotFound):
        engine.catalogue.plan("other")
    with pytest.raises(ValueError, match="twice"):
        CollectionPlan.model_validate({"plan_id": "small", "channels": [{"channel_id": "aa"}, {"channel_id": "aa"}]})


def test_what_a_plan_cannot_do_without(engine: Engine) -> None:
    """A consent that only channels need which the plan can spare is not required, nor is anything by no plan."""
    put(engine, channel_id="first-source", consent_scope="some_scope")
    put(engine, channel_id="second-source", consent_scope="other_scope")
    channels = [{"channel_id": "first-source", "required": True}, {"channel_id": "second-source"}]
    engine.catalogue.put_plan(CollectionPlan.model_validate({"plan_id": "small", "channels": channels}), "op-1", 0)
    required = [engine.catalogue.requires("small", scope) for scope in ("some_scope", "other_scope", "third_scope")]
    assert required == [True, False, False]
    assert not engine.catalogue.requires("nobodys", "some_scope")


CHANGES = {
    "enabled": st.booleans(),
    "cache_seconds": st.integers(0, 7_776_000),
    "idempotent": st.booleans(),
    "cost": st.builds(lambda minor: {"amount": f"{minor // 100}.{minor % 100:02d}"}, st.integers(0, 10**9)),
    "limits": st.fixed_dictionaries({}, optional={"total_seconds": st.floats(0.1, 25), "answer_bytes": st.just(5000)}),
    "response": st.fixed_dictionaries({}, optional={"charset": st.just("GBK"), "schema": st.just({"minItems": 1})}),
}


@given(st.fixed_dictionaries({}, optional=CHANGES))
def test_what_is_stored_means_what_was_written(changes: dict[str, Any]) -> None:
    one = channel(**changes)
    stored = one.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert Channel.model_validate(stored) == one
