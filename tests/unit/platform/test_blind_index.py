"""Blind indexes and the keys that they are made with."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from creditmesh.kernel.clock import FixedClock, iso
from creditmesh.platform.blind_index import KEYS_SECONDS, BlindIndex, IndexKeysInvalid, read_keys
from tests.support.world import NOW

OLD, NEW = "o" * 40, "n" * 40
LATER = iso(NOW + timedelta(minutes=15))


def index(*keys: dict[str, Any] | str) -> BlindIndex:
    text = keys[0] if isinstance(keys[0], str) else json.dumps({"keys": keys})
    return BlindIndex(lambda: str(text), FixedClock(NOW))


def test_it_follows_kind_and_value_under_its_key() -> None:
    one = index(OLD)
    assert one.of("taxpayer_id", "a") == one.of("taxpayer_id", "a")
    others = {one.of("blacklist", "a"), one.of("taxpayer_id", "b"), index(NEW).of("taxpayer_id", "a")}
    assert len(others | {one.of("taxpayer_id", "a")}) == 4
    one.keys()
    assert OLD not in repr(one)


def test_one_key_gives_one_index_whichever_way_it_is_written() -> None:
    alone, listed = index(OLD), index({"id": "1", "key": OLD})
    assert alone.each("k", "v") == listed.each("k", "v") == alone.every("k", "v") == [alone.of("k", "v")]


def test_of_two_keys_the_newer_counts_from_its_instant_and_both_are_looked_for() -> None:
    both = index({"id": "2", "key": NEW, "from": LATER}, {"id": "1", "key": OLD})
    old = index(OLD).of("k", "v")
    assert both.of("k", "v") == old
    new, found = both.each("k", "v")
    assert found == old
    assert new.endswith(".2")
    assert isinstance(both.clock, FixedClock)
    both.clock.advance(900)
    assert both.of("k", "v") == new


def test_a_retired_key_is_left_to_codes() -> None:
    found = index({"id": "2", "key": NEW}, {"id": "1", "key": OLD, "retired": True})
    assert found.each("k", "v") == [found.of("k", "v")]
    assert found.every("k", "v") == [found.of("k", "v"), index(OLD).of("k", "v")]


def test_a_removed_key_is_not_needed() -> None:
    assert index({"id": "2", "key": NEW}).each("k", "v") == index(
        {"id": "2", "key": NEW}, {"id": "1", "key": OLD, "retired": True}
    ).each("k", "v")


def test_keys_are_read_again_after_five_minutes() -> None:
    seconds, reads = [0.0], [OLD, NEW]
    one = BlindIndex(lambda: reads.pop(0), FixedClock(NOW), lambda: seconds[0])
    first = one.of("k", "v")
    seconds[0] = KEYS_SECONDS
    assert one.of("k", "v") == first
    seconds[0] += 1
    assert one.of("k", "v") != first


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "must be a generated key or JSON"), ("short", "a generated"), (f"{OLD}!", "a generated"),
        ("{", "a generated"),
        ("[]", "at least one key"), ("{}", "at least one key"), ({}, "at least one key"), ([], "at least one key"),
        (["x"], "key number 1 must have"), ([{"id": "1", "key": OLD, "more": 1}], "key number 1 must have"),
        ([{"key": OLD}], "number 1: id must"), ([{"id": 1, "key": OLD}], "number 1: id must"),
        ([{"id": "01", "key": OLD}], "number 1: id must"), ([{"id": "a", "key": OLD}], "number 1: id must"),
        ([{"id": "1"}], "key 1: must be 32"), ([{"id": "1", "key": "short"}], "key 1: must be 32"),
        ([{"id": "2", "key": NEW, "from": "soon"}, {"id": "1", "key": OLD}], "key 2: from must be an instant"),
        ([{"id": "2", "key": NEW, "from": 7}, {"id": "1", "key": OLD}], "key 2: from must be an instant"),
        ([{"id": "2", "key": NEW}, {"id": "1", "key": OLD, "retired": "yes"}], "key 1: retired must be true"),
        ([{"id": "1", "key": OLD}, {"id": "2", "key": NEW}], "ids must fall"),
        ([{"id": "1", "key": NEW}, {"id": "1", "key": OLD}], "ids must fall"),
        ([{"id": "2", "key": OLD}, {"id": "1", "key": OLD}], "the same key"),
        ([{"id": "1", "key": OLD, "from": LATER}], "oldest key must have no `from`"),
        ([{"id": "1", "key": OLD, "retired": True}], "newest key must not be retired"),
    ],
)  # fmt: skip
def test_the_fault_of_a_bad_document_is_named_and_no_key_told(text: Any, fault: str) -> None:
    with pytest.raises(IndexKeysInvalid, match=fault) as refused:
        read_keys(text if isinstance(text, str) else json.dumps({"keys": text}))
    assert OLD not in str(refused.value)
    assert NEW not in str(refused.value)
