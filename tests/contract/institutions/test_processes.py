"""Institutions as real processes: killed without warning, they lose nothing and pay nothing twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from institutions.config import parse
from institutions.grant import obtain_code
from institutions.population import Firm

from .calls import ask_fraud, enquire
from .conftest import Platform
from .exchange import Exchange, submission

LOCAL = Path(__file__).parents[3] / "local"
LENDER = "harbor-bank"
SOURCES = ("court-register", "credit-bureau", "market-square", "education-register", "fraud-shield")
FirmOf = Callable[[str], Firm]


class Process:
    """One institution, or several, in a process of its own; ``http`` and ``url`` are those of the first."""

    def __init__(self, names: tuple[str, ...], document: dict[str, Any], path: Path) -> None:
        self.names, self._path = names, path
        self.all: dict[str, httpx.Client] = {}
        for name in names:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            document["institutions"][name]["port"] = port
            self.all[name] = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        path.write_text(json.dumps(document), "utf-8")
        self.http = self.all[names[0]]
        self.url = str(self.http.base_url).rstrip("/")

    def start(self) -> None:
        ids = [argument for name in self.names for argument in ("--id", name)]
        command = [sys.executable, "-m", "institutions.serve", "--config", str(self._path), *ids]
        self.child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(LOCAL)})
        for http in self.all.values():
            self._await(http)

    def _await(self, http: httpx.Client) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                assert http.get("/_health").json() == {"status": "ok"}
                return
            except httpx.TransportError:
                assert self.child.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()


@pytest.fixture
def start(document: dict[str, Any], tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def run(*names: str) -> Process:
        process = Process(names, document, tmp_path / "institutions.json")
        process.start()
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        for http in process.all.values():
            http.close()


def test_a_killed_lender_takes_up_what_it_owes(
    start: Callable[..., Process], document: dict[str, Any], platform: Platform, firm: FirmOf
) -> None:
    document["institutions"][LENDER]["decision_delay_ms"] = 700
    bank = start(LENDER)
    exchange = Exchange(bank.http, document["institutions"][LENDER]["webhook_secret"])
    for number in range(20):
        assert exchange.submit(submission(firm("good_firm"), f"app-{number}", amount="100000.00")).status_code == 202
    bank.kill()
    told_before = len(platform.received)
    assert told_before < 20
    bank.start()
    decisions = [message["data"] for message in platform.wait_for(20, 20)]
    assert {one["application_id"] for one in decisions} == {f"app-{number}" for number in range(20)}


def test_no_kill_makes_a_lender_pay_twice(
    start: Callable[..., Process], document: dict[str, Any], platform: Platform, firm: FirmOf
) -> None:
    bank = start(LENDER)
    exchange = Exchange(bank.http, document["institutions"][LENDER]["webhook_secret"])
    exchange.submit(submission(firm("good_firm")))
    exchange.request_contract(platform.wait_for(1)[0]["data"])
    contract = platform.wait_for(2)[1]["data"]
    platform.answers = [503] * 2
    assert exchange.sign(contract, webhook_id="order").status_code == 202
    bank.kill()
    bank.start()
    assert exchange.sign(contract, webhook_id="order").status_code == 200
    assert exchange.sign(contract, webhook_id="order-again").status_code == 200
    deadline = time.monotonic() + 20
    while bank.http.get("/_callbacks").json()["callbacks"][-1]["state"] != "delivered":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # At least once: what was told just before the kill may be told again.
    told = [json.loads(body) for _, body in platform.received]
    assert len({one["data"]["disbursement_id"] for one in told if one["type"] == "loan.disbursed"}) == 1
    assert len(bank.http.get("/_ledger").json()["disbursements"]) == 1


def test_the_bureau_is_small_and_its_forms_lead_to_a_code_that_outlives_it(
    start: Callable[..., Process], document: dict[str, Any], firm: FirmOf
) -> None:
    bureau, good = start("tax-bureau"), firm("good_firm").taxpayer_id
    grant = obtain_code(bureau.url, good, redirect_uri="http://localhost/back", state="s-1", validity_days=30)
    assert (grant.taxpayer_id, grant.state) == (good, "s-1")
    bureau.kill()
    bureau.start()
    headers = {"x-api-key": document["institutions"]["tax-bureau"]["api_key"]}
    body = {"taxpayer_id": good, "authorization_code": grant.code}
    assert bureau.http.post("/api/v1/taxpayer-data", json=body, headers=headers).status_code == 200
    assert obtain_code(bureau.url, good).code != grant.code
    assert psutil.Process(bureau.child.pid).memory_info().rss < 60 * 2**20


def test_five_sources_live_in_one_small_process_and_end_when_told(start: Callable[..., Process], firm: FirmOf) -> None:
    process = start(*SOURCES)
    assert process.all["market-square"].get("/v1/sales").status_code == 401
    assert process.all["credit-bureau"].get("/_ledger").json()["count"] == 0
    assert process.all["fraud-shield"].get("/_calls").json() == {"calls": {}, "count": 0}
    assert psutil.Process(process.child.pid).memory_info().rss < 60 * 2**20
    process.child.send_signal(signal.SIGTERM)
    assert process.child.wait(10) == 0


def test_a_killed_bureau_remembers_what_it_charged_and_tells_what_it_owes(
    start: Callable[..., Process], document: dict[str, Any], platform: Platform, firm: FirmOf
) -> None:
    document["institutions"]["credit-bureau"]["delay_ms"] = 2_000
    settings = parse(document).institutions["credit-bureau"]
    bureau, good = start("credit-bureau"), firm("good_firm").taxpayer_id
    first = enquire(bureau.http, settings, good, "req-1")
    assert first.status_code == 202
    bureau.kill()
    assert platform.received == []
    bureau.start()
    again = enquire(bureau.http, settings, good, "req-1")
    assert (again.status_code, again.json()) == (200, first.json())
    assert platform.wait_for(1)[0]["data"]["request_id"] == "req-1"
    assert bureau.http.get("/_ledger").json()["count"] == 1


def test_an_answer_cut_short_ends_before_its_length_and_was_yet_paid_for(
    start: Callable[..., Process], document: dict[str, Any], firm: FirmOf
) -> None:
    shield, good = start("fraud-shield"), firm("good_firm").taxpayer_id
    settings = parse(document).institutions["fraud-shield"]
    assert shield.http.post("/_faults", json={"kind": "cut"}).status_code == 201
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        ask_fraud(shield.http, settings, good, "req-1")
    answer = ask_fraud(shield.http, settings, good, "req-1")
    assert answer.json()["entity"] == good
    assert shield.http.get("/_ledger").json()["count"] == 1


def test_who_has_had_enough_of_a_huge_answer_ends_it(
    start: Callable[..., Process], capfd: pytest.CaptureFixture[str]
) -> None:
    shield = start("fraud-shield")
    # As much as would take a minute or so to send.
    assert shield.http.post("/_faults", json={"kind": "huge", "megabytes": 10_000}).status_code == 201
    with shield.http.stream("POST", "/score", content=b"{}") as answer:
        next(answer.iter_bytes())
    begun = time.monotonic()
    assert shield.http.get("/_health").status_code == 200
    assert time.monotonic() - begun < 2
    time.sleep(0.5)
    assert psutil.Process(shield.child.pid).cpu_percent(0.5) < 50
    assert capfd.readouterr().err.count("\n") < 20
