"""The tutorial's Python, as it is written there, against a running platform."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from tests.integration.conftest import Target

PAGE = Path(__file__).parents[2] / "docs/tutorial/first-loan.md"
# What the application waits for before each block; the reader is told to look again until it does.
AWAITED = (None, "authorization", "choice", "choice", "signature", "nothing")


def look_again(guest: Any, loan: str, awaited: str) -> None:
    """Until the application waits for this, or has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        view = guest.application(loan)
        if view.ended if awaited == "nothing" else view.awaits == awaited:
            return
        time.sleep(0.1)
    raise AssertionError(f"{loan} does not come to wait for {awaited}")


def test_the_tutorial_leads_to_a_disbursed_loan(target: Target) -> None:
    """Every block in its order; only the API's address is put in."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    for block, awaited in zip(blocks, AWAITED, strict=True):
        if awaited:
            look_again(names["guest"], names["loan"], awaited)
        exec(block.replace("http://127.0.0.1:4566/…", target.anybody.base_url), names)
    assert names["guest"].application(names["loan"]).outcome == "disbursed"
    assert (names["best"].product_id, names["now"].decision) == ("northgate-prime", "approve")
