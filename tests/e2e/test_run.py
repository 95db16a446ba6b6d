"""`make run` as CI runs it: one process from start to end, with a state directory and ports of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest

from institutions.catalogue import products_of
from run import cases
from run.places import ROOT, Ports

FIRST_PORT = int(os.environ.get("CREDITMESH_E2E_PORT", "4600"))
START_SECONDS = 420
PERSONAS = {case.persona: case.expected_outcome for case in cases.read() if case.expected_outcome != cases.ANY}


@dataclass
class Witness:
    """What was seen of a run's processes while it ran: who they were and where they listened."""

    processes: set[tuple[int, float]] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    ports: set[int] = field(default_factory=set)

    def look(self, root: psutil.Process) -> None:
        """Take note of everything below ``root``."""
        try:
            family = [root, *root.children(recursive=True)]
        except psutil.Error:
            return
        for one in family:
            with contextlib.suppress(psutil.Error):  # it has just ended
                self.processes.add((one.pid, one.create_time()))
        # All of the machine at once: to ask each process reads every connection of the machine each time.
        pids = {one.pid for one in family}
        links = [link for link in psutil.net_connections("inet") if link.pid in pids]
        listening = [link.laddr for link in links if link.laddr and link.status == psutil.CONN_LISTEN]
        self.addresses |= {address.ip for address in listening}
        self.ports |= {address.port for address in listening}


@dataclass
class Finished:
    """A run that has ended."""

    status: int
    document: dict[str, Any]
    errors: str
    witness: Witness


def command(state_dir: Path, *options: str) -> list[str]:
    """The command line of a run."""
    return [sys.executable, "-m", "run", "--state-dir", str(state_dir), "--port", str(FIRST_PORT), *options]


def run(state_dir: Path) -> Finished:
    """Run with `--once --json` and watch its processes until it has ended."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "local")}
    process = subprocess.Popen(
        command(state_dir, "--once", "--json"), cwd=ROOT, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    witness, over = Witness(), threading.Event()

    def watch() -> None:
        root = psutil.Process(process.pid)
        while not over.wait(0.5):
            witness.look(root)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        output, errors = process.communicate(timeout=START_SECONDS)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        over.set()
        watcher.join()
    assert output, errors
    return Finished(process.returncode, json.loads(output), errors, witness)


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run keeps its things."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def finished(state_dir: Path) -> Finished:
    """A run on an empty state directory."""
    return run(state_dir)


@pytest.mark.timeout(START_SECONDS + 60)
def test_every_persona_ends_as_it_should(finished: Finished) -> None:
    """C03-C24: each persona's outcome, and an outcome for everybody."""
    rows = finished.document["applications"]
    assert len(rows) == len(cases.read())
    met = {row["persona"]: row["as_expected"] for row in rows if row["persona"] in PERSONAS}
    assert met == dict.fromkeys(PERSONAS, True), finished.errors
    assert all(row["outcome"] for row in rows)
    assert finished.status == 0


def test_rows_tell_what_happened(finished: Finished) -> None:
    """The table's fields, by what each persona lived through."""
    rows = {row["persona"]: row for row in finished.document["applications"] if row["persona"] != "ordinary"}
    good = rows["good_firm"]
    assert good["score"] > 0
    assert float(good["limit"]) > 0
    assert good["product"]
    assert good["lender"]
    assert good["logins"] == 1
    order = ["received", "authorized", "collected", "assessed", "offered", "submitted", "approved", "signed", "ended"]
    times = [good["stages"][stage] for stage in order]
    assert times == sorted(times)
    assert rows["expired_code"]["logins"] == 1  # C08: the old code was refused, then he logged in
    assert rows["blacklisted"]["score"] is None
    assert rows["lender_rejects"]["note"]  # C23: the lender's reason
    assert "with_operator" in rows["lender_silent"]["stages"]  # C24
    assert rows["cancelled_too_late"]["cancel_asked"]  # S14: the payment reported after it counts
    assert "with_operator" in rows["payment_repeated"]["stages"]  # S14: an operator ordered again


def test_amounts_follow_limits_and_products(finished: Finished) -> None:
    """C17-C20, E13: offers below and above the request, a price by grade, what a firm's other loans leave."""
    rows = {row["persona"]: row for row in finished.document["applications"]}
    asked, chosen, limit = (
        {name: money(row[key]) for name, row in rows.items()} for key in ("asked", "chosen", "limit")
    )
    assert chosen["good_firm"] == asked["good_firm"]
    assert 0 < chosen["reduced_offer"] <= limit["reduced_offer"] < asked["reduced_offer"]
    assert asked["larger_offer"] < chosen["larger_offer"] == 50_000
    starter = next(one for one in products_of("northgate-bank") if one.product_id == "northgate-starter")
    graded = rows["priced_by_grade"]
    assert graded["product"] == starter.product_id
    rate = starter.rate(graded["grade"])
    assert rate is not None
    assert abs(Decimal(graded["apr"]) * 100 - rate) <= 1  # cents of the instalments
    assert chosen["first_loan"] == asked["first_loan"]
    assert chosen["second_loan"] == limit["second_loan"] - chosen["first_loan"] < asked["second_loan"]
    assert "limit" in rows["at_limit"]["note"]
    both = ("one_at_once", "other_at_once")
    assert sorted(rows[name]["refusals"] for name in both) == [[], ["limit_exhausted"]]
    assert max(chosen[name] for name in both) == asked["one_at_once"]
    assert limit["one_at_once"] - 1_000 < sum(chosen[name] for name in both) <= limit["one_at_once"]  # whole steps


def money(text: str | None) -> Decimal:
    """An amount; zero if there is none."""
    return Decimal(text or 0)


def test_spark_scored(finished: Finished) -> None:
    """C11: the resident job answered; the fallback evaluator had nothing to do on the normal path."""
    engines = [row["engine"] for row in finished.document["applications"] if row["engine"]]
    assert engines.count("spark") == len(engines)


def test_listens_on_this_machine_only(finished: Finished) -> None:
    """Nothing of a run can be reached from outside, and its known ports were in use."""
    assert set(Ports(FIRST_PORT).all()) <= finished.witness.ports
    assert finished.witness.addresses <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_leaves_no_process(finished: Finished) -> None:
    """Whatever was started has ended."""
    assert len(finished.witness.processes) > len(Ports(FIRST_PORT).all())
    left = []
    for pid, created in finished.witness.processes:
        try:
            if psutil.Process(pid).create_time() == created:
                left.append(psutil.Process(pid).cmdline())
        except psutil.NoSuchProcess:
            continue
    assert left == []


def test_secrets_are_private(finished: Finished, state_dir: Path) -> None:
    """Keys, tokens and secrets are readable by their owner only."""
    for name in ("institutions.json", "users.key", "token"):
        assert (state_dir / name).stat().st_mode & 0o077 == 0, name


def test_taken_port_is_named(tmp_path: Path) -> None:
    """A port that somebody uses gives one sentence, not a traceback."""
    port = FIRST_PORT + 14  # free of this file's own platform and of the integration tests'
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "local")}
        line = [sys.executable, "-m", "run", "--state-dir", str(tmp_path), "--port", str(port), "--once"]
        done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"port {port}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
