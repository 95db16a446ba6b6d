"""The one configuration file that all embedded institutions of a machine share."""

from __future__ import annotations

import argparse
import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

LENDERS = ("harbor-bank", "riverstone-credit", "northgate-bank")
KINDS = {"tax-bureau": "tax", "company-registry": "registry", **dict.fromkeys(LENDERS, "lender")}


@dataclass(frozen=True)
class InstitutionConfig:
    """One institution's own settings.

    Attributes:
        kind: ``tax``, ``registry`` or ``lender``.
        port: On 127.0.0.1.
        api_key: Tax and registry: the key that ``x-api-key`` must carry.
        client_id: Tax: the platform's name in ``/oauth/authorize``.
        redirect_uris: Tax: prefixes to which a code may be sent, besides this machine itself.
        webhook_secret: Lender: ``whsec_`` + base64, for both directions; several, separated by spaces, while rotated.
        decision_delay_ms: Lender: how long a decision takes.
    """

    kind: str
    port: int
    api_key: str = ""
    client_id: str = "creditmesh"
    redirect_uris: tuple[str, ...] = ()
    webhook_secret: str = ""
    decision_delay_ms: int = 50


@dataclass(frozen=True)
class Config:
    """All settings.

    Attributes:
        as_of: The day of the data, or None for the present day.
        callback_url: The platform's API; callbacks go to ``{callback_url}/webhooks/{institution_id}``, or to the URL
            itself with ``{institution_id}`` filled in where it holds that.
        state_dir: Where each institution keeps its SQLite file.
    """

    seed: int
    population: int
    as_of: date | None
    callback_url: str
    state_dir: Path
    institutions: Mapping[str, InstitutionConfig] = field(default_factory=dict)

    def today(self) -> date:
        """The day of the data."""
        return self.as_of or datetime.now(UTC).date()

    def callback_for(self, institution_id: str) -> str:
        """Where an institution sends its callbacks."""
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
    """A document for the usual five institutions, on consecutive ports, with fresh random keys and secrets."""
    institutions: dict[str, dict[str, Any]] = {}
    for offset, (name, kind) in enumerate(KINDS.items()):
        settings: dict[str, Any] = {"kind": kind, "port": base_port + offset}
        if kind == "lender":
            settings["webhook_secret"] = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        else:
            settings["api_key"] = secrets.token_urlsafe(24)
        if kind == "tax":
            settings["client_id"] = "creditmesh"
        institutions[name] = settings
    return {
        "seed": seed,
        "population": population,
        "as_of": as_of,
        "callback_url": callback_url,
        "state_dir": state_dir,
        "institutions": institutions,
    }


def _institution(settings: Mapping[str, Any]) -> InstitutionConfig:
    redirect_uris = tuple(settings.get("redirect_uris", ()))
    return InstitutionConfig(**{**settings, "redirect_uris": redirect_uris})


def main() -> None:
    """Write a configuration for the usual five, with fresh keys; the file is readable by its owner only."""
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
