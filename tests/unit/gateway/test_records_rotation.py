"""Stored records while the index key is rotated."""

from __future__ import annotations

from typing import Any

from tests.support import wired
from tests.support.world import FIRM, World

NEW = {"id": "2", "key": "n" * 64}
FIRST: dict[str, Any] = {"id": "1"}
OTHER = "91350100M000100Y43"


def put(name: str, key: str = FIRM.taxpayer_id) -> None:
    wired.reference_records().put("firm-profiles", key, {"name": name}, "operator-1")


def name(key: str = FIRM.taxpayer_id) -> str | None:
    found = wired.reference_records().get("firm-profiles", key)
    return found["name"] if found else None


def test_a_record_is_found_replaced_and_moved(world: World) -> None:
    put("a")
    put("b", OTHER)
    with world.index_keys(NEW, FIRST):
        assert (name(), name(OTHER), name("none")) == ("a", "b", None)
        put("c")
        assert (name(), len(world.items("ReferenceRecords"))) == ("c", 2), "one record under both keys"
        assert (wired.reference_records().rekey(), wired.reference_records().rekey()) == (1, 0)
    with world.index_keys(NEW):
        assert (name(), name(OTHER)) == ("c", "b")
    assert name() is None


def test_what_was_written_anew_amidst_a_move_stays(world: World) -> None:
    put("a")
    with world.index_keys(NEW, FIRST):
        (stale,) = world.items("ReferenceRecords")
        put("c")
        assert wired.reference_records()._rekeyed(stale)
        assert name() == "c"
