"""The embedded institutions of `make run`: configuration, keys, catalogue, blacklist."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, wait
from pathlib import Path
from typing import Any

import httpx

from client import Api, ProblemError
from cloud.supervisor import Supervisor
from institutions.config import default_document, today
from institutions.population import DEFAULT_POPULATION, DEFAULT_SEED, Firm, Population, blacklist_entries
from institutions.registry_figures import legal_representative
from run.errors import RunError
from run.places import ROOT, Places, Ports, write_private

_GUARD = str(Path(__file__).with_name("guard.py"))
PROFILES = 12
"""Number of firms whose legal representative is known; for the others the education source cannot be called."""
SOURCES = "sources"
"""The program that serves all sources except tax bureau and registry."""
_ALONE = ("tax", "registry", "lender")


class Estate:
    """All institutions of one instance, with random keys and secrets."""

    def __init__(
        self,
        places: Places,
        ports: Ports,
        *,
        seed: int = DEFAULT_SEED,
        population: int = DEFAULT_POPULATION,
        latency_ms: int = 0,
        report_ms: int | None = None,
    ) -> None:
        self._places, self.seed, self.population = places, seed, population
        self._document: dict[str, Any] = default_document(
            callback_url="", state_dir=str(places.institutions_state.resolve()), base_port=ports.institutions,
            seed=seed, population=population,
        )  # fmt: skip
        for settings in self.settings.values():
            if settings["kind"] != "lender":
                settings["latency_ms"] = latency_ms
            if settings["kind"] == "credit_bureau" and report_ms is not None:
                settings["delay_ms"] = report_ms
        self._firms = Population(seed, population)

    @property
    def settings(self) -> Mapping[str, dict[str, Any]]:
        return dict(self._document["institutions"])

    @property
    def lenders(self) -> list[str]:
        return [name for name, one in self.settings.items() if one["kind"] == "lender"]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.settings[name]['port']}"

    def addresses(self) -> str:
        """The address book, as a deployment uploads it."""
        known = {
            name: {"kind": one["kind"], "name": name.replace("-", " ").title(), "base_url": self.url(name)}
            for name, one in self.settings.items()
        }
        return json.dumps(known, separators=(",", ":"))

    def keys(self) -> str:
        """The content of the institutions' secret."""
        known = {}
        for name, one in self.settings.items():
            keys: dict[str, Any] = {"api_key": one.get("api_key", ""), "client_id": one.get("client_id", "creditmesh")}
            keys["webhook_secrets"] = one.get("webhook_secret", "").split()
            keys["secrets"] = {key: one[key] for key in ("client_secret", "signing_secret") if key in one}
            known[name] = keys
        return json.dumps(known)

    def programs(self) -> dict[str, list[str]]:
        """Institutions per program: those with failure tests have their own, the others share one."""
        found: dict[str, list[str]] = {}
        for name, one in self.settings.items():
            found.setdefault(name if one["kind"] in _ALONE else SOURCES, []).append(name)
        return found

    def configure(self, callback_url: str) -> None:
        """Write the institutions' configuration, now that the API's address is known."""
        self._document["callback_url"] = callback_url
        write_private(self._places.institutions, json.dumps(self._document, indent=1))

    def start(self, supervisor: Supervisor, pool: Executor) -> None:
        """Start all institutions concurrently and wait until they serve.

        Args:
            supervisor: keeps them running.
            pool: its threads must live as long as the institutions (see `run.guard`).
        """
        environment = {"PYTHONPATH": str(ROOT / "local")}
        command = [sys.executable, "-S", "-E", _GUARD, sys.executable, "-m", "institutions.serve"]
        command += ["--config", str(self._places.institutions)]

        def begin(program: str, names: list[str]) -> None:
            ids = [part for name in names for part in ("--id", name)]
            supervisor.start(program, [*command, *ids], environment, f"{self.url(names[-1])}/_health")

        starts = [pool.submit(begin, program, names) for program, names in self.programs().items()]
        wait(starts)  # wait for all: one that starts after a stop would be left running
        for start in starts:
            start.result()

    def push_catalogue(self, api_url: str, token: Callable[[str], str], pool: Executor) -> int:
        """Let every lender push its products; returns their number.

        Raises:
            RunError: the platform refused one.
        """

        def push(name: str) -> int:
            body = {"api_url": api_url, "token": token(name)}
            answer = httpx.post(f"{self.url(name)}/_push", json=body, timeout=60.0, trust_env=False)
            if answer.status_code != 200:
                raise RunError(f"{name} could not push its products: {answer.text[:300]}")
            return len(answer.json()["pushed"])

        return sum(pool.map(push, self.lenders))

    def load_blacklist(self, officer: Api, pool: Executor) -> int:
        """Add the population's blacklisted firms; idempotent. Returns their number."""
        listed = blacklist_entries(self.seed, self.population)
        try:
            list(pool.map(lambda firm: officer.put_blacklist_entry(_entry(firm)), listed))
        except ProblemError as problem:
            raise RunError(f"The platform refused a blacklist entry: {problem}") from problem
        return len(listed)

    def firm(self, index: int) -> Firm:
        return self._firms.firm(index, today())

    def firm_of(self, taxpayer_id: str) -> Firm:
        """The firm with that taxpayer id.

        Raises:
            KeyError: unknown.
        """
        found = self._firms.by_taxpayer_id(taxpayer_id, today())
        if found is None:
            raise KeyError(taxpayer_id)
        return found

    @staticmethod
    def profile(firm: Firm) -> dict[str, str]:
        """The stored record of a firm: its legal representative."""
        return {"legal_representative": legal_representative(firm)}

    def load_profiles(self, operator: Api, pool: Executor) -> int:
        """Store the legal representatives that the platform knows; returns their number."""
        firms = [self.firm(index) for index in range(min(PROFILES, self.population))]
        list(pool.map(lambda one: operator.put_record("firm-profiles", one.taxpayer_id, self.profile(one)), firms))
        return len(firms)

    def ledger(self, name: str) -> list[dict[str, Any]]:
        """Every disbursement of a lender; waits for a lender that is being restarted."""
        with httpx.Client(transport=httpx.HTTPTransport(retries=5), timeout=20.0) as http:
            return list(http.get(f"{self.url(name)}/_ledger").raise_for_status().json()["disbursements"])


def _entry(taxpayer_id: str) -> dict[str, str]:
    return {"taxpayer_id": taxpayer_id, "source": "embedded-list", "reason": "listed in the made-up population"}
