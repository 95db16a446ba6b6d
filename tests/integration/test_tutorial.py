"""The tutorial's Python and the first calls of each role, as they are written, against a running platform."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from creditmesh.kernel.caller import Role
from run import many
from run.platform import LocalPlatform
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
    # Which of the page's two is first depends on how many payments this platform has measured before.
    assert names["best"].product_id in ("riverstone-quick", "northgate-tax-loan")
    assert names["now"].decision == "approve"


CALLS = Path(__file__).parents[2] / "docs/how-to/call-the-api.md"


def test_the_first_call_of_each_role_works(target: Target, local: LocalPlatform) -> None:
    """Every block in one shell, which ends at the first call that is refused."""
    target.borrower(many.cases(1, skip=242)[0]).live_through(uuid.uuid4().hex)
    page = CALLS.read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    assert {role for role in Role if f"ROLE={role.value}" in script} == set(Role)
    script = script.replace("http://127.0.0.1:4566/…", local.api_url)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=CALLS.parents[2], capture_output=True, text=True, timeout=120,
        env={**os.environ, "ARGS": f"--state-dir {local.places.state_dir}"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr
    answers = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    assert len(answers) >= 20
    assert "True" in ran.stdout.splitlines()
    assert [one["state"] for one in answers if "entry_id" in one] == ["removal_proposed", "removed"]
