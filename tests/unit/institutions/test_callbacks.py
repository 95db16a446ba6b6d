"""The deliverer's life as a task of the server's event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from institutions.callbacks import Deliverer
from institutions.faults import Faults
from institutions.lender_store import LenderStore


@pytest.mark.parametrize("turns", range(6))
def test_a_stop_that_comes_with_news_still_stops(tmp_path: Path, turns: int) -> None:
    """A cancellation in the same turn as the wake-up must not be lost, or the server never ends."""

    async def scene() -> None:
        deliverer = Deliverer(LenderStore(tmp_path, "test"), Faults(), "http://127.0.0.1:9/", "whsec_AAAA")
        task = asyncio.create_task(deliverer.run())
        await asyncio.sleep(0.01)
        deliverer.wake()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=2)
        assert done

    asyncio.run(scene())
