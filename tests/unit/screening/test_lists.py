"""The blacklist (C12)."""

from __future__ import annotations

from datetime import timedelta

from creditmesh.kernel.clock import iso
from creditmesh.platform import wiring
from tests.support.world import FIRM, NOW, World

OTHER = "91350100M000100Y43"


def hits(taxpayer: str = FIRM.taxpayer_id) -> int:
    return wiring.lists().hits(taxpayer)


def test_each_source_counts_once(world: World) -> None:
    assert hits() == 0
    for source in ("court", "court", "platform"):
        wiring.lists().enter(FIRM.taxpayer_id, source=source, reason="fraud", by="operator-1")
    assert (hits(), hits(OTHER)) == (2, 0)


def test_an_entry_runs_out(world: World) -> None:
    until = iso(NOW + timedelta(days=1))
    wiring.lists().enter(FIRM.taxpayer_id, source="court", reason="fraud", by="operator-1", valid_until=until)
    assert hits() == 1
    world.clock.advance(86400)
    assert hits() == 0


def test_the_firm_cannot_be_read_from_the_table(world: World) -> None:
    wiring.lists().enter(FIRM.taxpayer_id, source="court", reason="fraud", by="operator-1")
    assert FIRM.taxpayer_id not in str(world.items("ListEntries"))
