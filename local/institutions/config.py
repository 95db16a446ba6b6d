"""The configuration file shared by all embedded institutions of a machine."""

from __future__ import annotations

import argparse
import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

LENDERS = ("harbor-bank", "riverstone-credit", "northgate-bank")
# In the order of their ports.
KINDS = {
    "tax-bureau": "tax",
    "company-registry": "registry",
    **dict.fromkeys(LENDERS, "lender"),
    "court-register": "judicial",
    "credit-bureau": "credit_bureau",
    "market-square": "shop",
    "education-register": "education",
    "fraud-shield": "anti_fraud",
    "registry-mirror": "source",
}
CLIENT_ID = "creditmesh"
# Required settings per kind, besides the port; secrets are generated per machine.
SETTINGS = {
    "tax": ("api_key", "client_id"),
    "registry": ("api_key",),
    "lender": ("webhook_secret",),
    "judicial": ("api_key",),
    "credit_bureau": ("client_id", "signing_secret", "webhook_secret"),
    "shop": ("client_id", "client_secret"),
    "education": ("api_key",),
    "anti_fraud": ("client_id", "signing_secret"),
    "source": ("api_key",),
}


@dataclass(frozen=True)
class InstitutionConfig:
    """One institution's own settings."""

    kind: str
    """One of ``SETTINGS``."""
    port: int
    api_key: str = ""
    """Tax, registry and its mirror, judicial, education: the required ``x-api-key``."""
    client_id: str = CLIENT_ID
    """Tax: the platform's name in ``/oauth/authorize``; credit bureau, anti-fraud: in ``x-client-id``; shop: in
    ``/oauth/token``."""
    client_secret: str = ""
    """Shop: required for a token."""
    signing_secret: str = ""
    """Credit bureau, anti-fraud: the key (text) of requests' signatures."""
    redirect_uris: tuple[str, ...] = ()
    """Tax: allowed prefixes of redirect URIs, besides this machine."""
    webhook_secret: str = ""
    """Lender, credit bureau: ``whsec_`` + base64, for both directions; several, separated by spaces, during a rotation.
    """
    decision_delay_ms: int = 50
    """Lender: time to a decision."""
    delay_ms: int = 150
    """Credit bureau: time to a report."""
    token_seconds: int = 300
    """Shop: lifetime of a token."""
    latency_ms: int = 0
    """Any: delay of every answer."""


def today() -> date:
    """The day in China, where the institutions are."""
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


@dataclass(frozen=True)
class Config:
    """All settings."""

    seed: int
    population: int
    as_of: date | None
    """The day of the data; None for today."""
    callback_url: str
    """The platform's API; callbacks go to ``{callback_url}/webhooks/{institution_id}``, or to the URL itself with
    ``{institution_id}`` filled in, if present."""
    state_dir: Path
    """Folder of the institutions' SQLite files."""
    institutions: Mapping[str, InstitutionConfig] = field(default_factory=dict)

    def today(self) -> date:
        return self.as_of or today()

    def callback_for(self, institution_id: str) -> str:
        """The URL of an institution's callbacks."""
        if "{institution_id}" in self.callback_url:
            return self.callback_url.replace("{institution_id}", institution_id)
        return f"{self.callback_url.rstrip('/')}/webhooks/{institution_id}"


def parse(document: Mapping[str, Any]) -> Config:
    """The configuration in a JSON document.

    Raises:
        KeyError, TypeError, ValueError: a setting is missing, unknown or malformed.
    """
    as_of = document.get("as_of", "today")
    return Config(
        seed=int(document["seed"]),
        population=int(document["population"]),
        as_of=None if as_of == "today" else date.fromisoformat(as_of),
        callback_url=str(document["callback_url"]),
        state_dir=Path(document["state_dir"]),
        institutions={name: _institution(settings) for name, settings in document["institutions"].items()},
    )


def load(path: str | Path) -> Config:
    """The configuration in a file; raises like ``parse``, and OSError."""
    return parse(json.loads(Path(path).read_text("utf-8")))


def default_document(
    *,
    callback_url: str,
    state_dir: str,
    base_port: int = 9101,
    seed: int = 7,
    population: int = 400,
    as_of: str = "today",
) -> dict[str, Any]:
    """A document for all institutions, on consecutive ports, with random keys and secrets."""
    institutions: dict[str, dict[str, Any]] = {}
    for offset, (name, kind) in enumerate(KINDS.items()):
        settings: dict[str, Any] = {"kind": kind, "port": base_port + offset}
        settings |= {setting: _fresh(setting) for setting in SETTINGS[kind]}
        institutions[name] = settings
    return {
        "seed": seed,
        "population": population,
        "as_of": as_of,
        "callback_url": callback_url,
        "state_dir": state_dir,
        "institutions": institutions,
    }


def _fresh(setting: str) -> str:
    if setting == "client_id":
        return CLIENT_ID
    if setting == "webhook_secret":
        return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(24)


def _institution(settings: Mapping[str, Any]) -> InstitutionConfig:
    redirect_uris = tuple(settings.get("redirect_uris", ()))
    return InstitutionConfig(**{**settings, "redirect_uris": redirect_uris})


def main() -> None:
    """Write a configuration for all institutions with new keys; readable by its owner only."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--callback-url", required=True)
    parser.add_argument("--state-dir", required=True)
    parser.add_argument("--base-port", type=int, default=9101)
    parser.add_argument("--as-of", default="today")
    arguments = parser.parse_args()
    document = default_document(
        callback_url=arguments.callback_url,
        state_dir=arguments.state_dir,
        base_port=arguments.base_port,
        as_of=arguments.as_of,
    )
    arguments.output.touch(mode=0o600)
    arguments.output.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
