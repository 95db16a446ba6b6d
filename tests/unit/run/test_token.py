"""`make token`: what it says where it can give none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from run.errors import RunError
from run.places import ROOT, Places
from run.running import Running
from run.token import token

POOLS = {f"{kind}Pool{what}": "x" for kind in ("User", "Staff") for what in ("Id", "ClientId")}
ENDPOINT = "http://127.0.0.1:9"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.fixture
def running(places: Places) -> Iterator[Places]:
    """What a platform leaves for others: it holds the lock and has told where it is."""
    with places.lock():
        Running.of(ENDPOINT, {**POOLS, "ApiUrl": "http://127.0.0.1:9/"}, ["harbor-bank", "northgate-bank"]).tell(places)
        yield places


@pytest.mark.parametrize("role", ["", "king", "OPERATOR", "operator ", "guest"])
def test_an_unknown_role_is_answered_with_the_known_ones(running: Places, role: str) -> None:
    with pytest.raises(RunError, match=r"ROLE must be one of borrower, .*risk_officer, operator, auditor"):
        token(role, "", "", running)


@pytest.mark.parametrize("name", ["a b", "../x", "x" * 41, "a/b", "é"])
def test_a_name_that_makes_no_user_is_refused(running: Places, name: str) -> None:
    with pytest.raises(RunError, match="NAME must be"):
        token("operator", "", name, running)


@pytest.mark.parametrize("lender", ["", "nobody", "Harbor-Bank", "tax-bureau", "harbor-bank "])
def test_a_lender_must_be_one_that_runs(running: Places, lender: str) -> None:
    with pytest.raises(RunError, match="LENDER must be one of harbor-bank, northgate-bank"):
        token("lender", lender, "", running)


def test_where_nothing_has_run_it_says_how_to_start(places: Places) -> None:
    with pytest.raises(RunError, match="No platform is ready in .*make run"):
        token("operator", "", "", places)


def test_a_platform_that_starts_is_not_ready(places: Places) -> None:
    with places.lock(), pytest.raises(RunError, match="No platform is ready"):
        token("operator", "", "", places)


def test_a_platform_that_has_died_is_not_ready(running: Places, tmp_path: Path) -> None:
    after = Places(tmp_path / "after")
    Running.found(running).tell(after)
    with pytest.raises(RunError, match="No platform is ready"):
        token("operator", "", "", after)


def test_others_are_told_where_users_are_and_no_secret(running: Places) -> None:
    assert Running.found(running) == Running(ENDPOINT, POOLS, ["harbor-bank", "northgate-bank"])
    assert running.running.stat().st_mode & 0o777 == 0o600


def test_the_program_prints_nothing_but_the_reason(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "run.token", "--role", "operator", "--state-dir", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT / "local")})
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("No platform is ready in ")
    assert "Traceback" not in ran.stderr
