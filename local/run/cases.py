"""The loan applications of examples/applications.jsonl: who asks for what, and what should come of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from client.borrower import Code
from institutions.population import DEFAULT_SEED, expired_code, password
from run.places import ROOT

EXAMPLES = ROOT / "examples" / "applications.jsonl"
_LONG_AGO_EXPIRED = "2026-01-01T00:00:00Z"


class Firm(BaseModel):
    """Who asks."""

    model_config = ConfigDict(frozen=True)

    name: str
    taxpayer_id: str


class Case(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(frozen=True)

    persona: str
    firm: Firm
    application: dict[str, Any]
    expected_outcome: str
    behaviour: Any = None

    @property
    def tenant(self) -> str:
        """The firm's tenant at the platform."""
        return f"firm-{self.firm.taxpayer_id}"

    @property
    def password(self) -> str:
        """The firm's password at the tax bureau."""
        return password(self.firm.taxpayer_id)

    def request(self) -> Mapping[str, Any]:
        """The body of the loan request."""
        return {"taxpayer_id": self.firm.taxpayer_id, "firm_name": self.firm.name, **self.application}

    def first_code(self, seed: int = DEFAULT_SEED) -> Code | None:
        """The old code that this firm tries before it logs in, if it has one (C08)."""
        return Code(expired_code(seed), _LONG_AGO_EXPIRED) if self.persona == "expired_code" else None


def read(path: Path = EXAMPLES) -> list[Case]:
    """All cases of a file."""
    return [Case.model_validate_json(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
