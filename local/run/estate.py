"""The embedded institutions as `make run` uses them: their configuration, their keys, the catalogue, the blacklist."""

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
from institutions.config import default_document
from institutions.population import DEFAULT_POPULATION, DEFAULT_SEED, blacklist_entries
from run.errors import RunError
from run.places import ROOT, Places, Ports, read_json, write_private

_GUARD = str(Path(__file__).with_name("guard.py"))


class Estate:
    """All institutions of one instance.

    Keys and secrets are random per machine; they are made once and stay, for the platform's secret holds them too.
    """

    def __init__(
        self, places: Places, ports: Ports, *, seed: int = DEFAULT_SEED, population: int = DEFAULT_POPULATION
    ) -> None:
        self._places, self.seed, self.population = places, seed, population
        fresh = default_document(
            callback_url="", state_dir=str(places.institutions_state.resolve()), base_port=ports.institutions,
            seed=seed, population=population,
        )  # fmt: skip
        kept = (read_json(places.institutions) or {}).get("institutions", {})
        for name, settings in fresh["institutions"].items():
            settings.update(
                {key: kept[name][key] for key in ("api_key", "webhook_secret") if key in kept.get(name, {})}
            )
        self._document: dict[str, Any] = fresh

    @property
    def settings(self) -> Mapping[str, dict[str, Any]]:
        """Each institution's settings by its id."""
        return dict(self._document["institutions"])

    @property
    def lenders(self) -> list[str]:
        """Ids of the lenders."""
        return [name for name, one in self.settings.items() if one["kind"] == "lender"]

    def url(self, name: str) -> str:
        """Where an institution listens."""
        return f"http://127.0.0.1:{self.settings[name]['port']}"

    def addresses(self) -> str:
        """What the stack's parameter ``Institutions`` holds."""
        known = {
            name: {"kind": one["kind"], "name": name.replace("-", " ").title(), "base_url": self.url(name)}
            for name, one in self.settings.items()
        }
        return json.dumps(known, separators=(",", ":"))

    def keys(self) -> str:
        """What the secret of the institutions' keys holds."""
        known = {}
        for name, one in self.settings.items():
            keys: dict[str, Any] = {"api_key": one.get("api_key", ""), "client_id": one.get("client_id", "creditmesh")}
            known[name] = {**keys, "webhook_secrets": one.get("webhook_secret", "").split()}
        return json.dumps(known)

    def configure(self, callback_url: str) -> None:
        """Write the institutions' configuration, now that the address of the API is known."""
        self._document["callback_url"] = callback_url
        write_private(self._places.institutions, json.dumps(self._document, indent=1))

    def start(self, supervisor: Supervisor, pool: Executor) -> None:
        """Start all institutions side by side and wait until they serve.

        Args:
            supervisor: keeps them running.
            pool: its threads must live as long as the institutions (see `run.guard`).
        """
        environment = {"PYTHONPATH": str(ROOT / "local")}
        command = [sys.executable, "-m", "institutions.serve", "--config", str(self._places.institutions), "--id"]
        starts = [
            pool.submit(
                supervisor.start, name, [sys.executable, "-S", "-E", _GUARD, *command, name], environment,
                f"{self.url(name)}/_health",
            )
            for name in self.settings
        ]  # fmt: skip
        wait(starts)  # all of them, for what starts after a stop would be left running
        for start in starts:
            start.result()

    def push_catalogue(self, api_url: str, token: Callable[[str], str], pool: Executor) -> int:
        """Have every lender push its products (C17); how many there are.

        Raises:
            RunError: the platform did not take one.
        """

        def push(name: str) -> int:
            body = {"api_url": api_url, "token": token(name)}
            answer = httpx.post(f"{self.url(name)}/_push", json=body, timeout=60.0, trust_env=False)
            if answer.status_code != 200:
                raise RunError(f"{name} could not push its products: {answer.text[:300]}")
            return len(answer.json()["pushed"])

        return sum(pool.map(push, self.lenders))

    def load_blacklist(self, operator: Api, pool: Executor) -> int:
        """Enter the population's blacklisted firms (C12); a repeat changes nothing. How many there are."""
        listed = blacklist_entries(self.seed, self.population)
        try:
            list(pool.map(lambda firm: operator.put_blacklist_entry(_entry(firm)), listed))
        except ProblemError as problem:
            raise RunError(f"The platform did not take a blacklist entry: {problem}") from problem
        return len(listed)

    def ledger(self, name: str) -> list[dict[str, Any]]:
        """Every disbursement a lender has made; a lender that is being started again is waited for."""
        with httpx.Client(transport=httpx.HTTPTransport(retries=5), timeout=20.0) as http:
            return list(http.get(f"{self.url(name)}/_ledger").raise_for_status().json()["disbursements"])


def _entry(taxpayer_id: str) -> dict[str, str]:
    return {"taxpayer_id": taxpayer_id, "source": "embedded-list", "reason": "listed in the made-up population"}
