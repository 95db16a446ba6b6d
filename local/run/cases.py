"""The loan applications of examples/applications.jsonl, with their expected outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from client.borrower import Code
from institutions.education_figures import verification_code
from institutions.population import password
from run.places import ROOT

EXAMPLES = ROOT / "examples" / "applications.jsonl"
ANY = "any"
WITH_OPERATOR = "with_operator"
_EXPIRED_ON = "2026-01-01T00:00:00Z"


class Firm(BaseModel):
    """The applicant."""

    model_config = ConfigDict(frozen=True)

    name: str
    name_latin: str = ""
    taxpayer_id: str


class Behaviour(BaseModel):
    """How the borrower reacts; chooses the best offer and signs the contract."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validity_days: int = 365
    choice: Literal["best"] = "best"
    sign: Literal[True] = True
    consents: list[str] = Field(
        default=["credit_bureau", "shop", "education", "anti_fraud"], description="rights granted besides tax data"
    )
    manager: Literal["prompt", "silent"] = "prompt"
    """How the manager reacts to a request without a flow."""
    first_code: str | None = Field(default=None, description="an old code, tried before logging in")


class Case(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(frozen=True)

    persona: str
    firm: Firm
    application: dict[str, Any]
    expected_outcome: str = ANY
    """The outcome; ``any`` for random firms; ``with_operator`` if a person must help, whatever they decide."""
    behaviour: Behaviour = Behaviour()

    @property
    def tenant(self) -> str:
        """The firm's tenant at the platform.

        Tenants appear in events and logs, so they reveal no identity.
        """
        return "firm-" + hashlib.sha256(self.firm.taxpayer_id.encode()).hexdigest()[:16]

    @property
    def fields(self) -> dict[str, str]:
        """What the firm's sources want besides consents."""
        return {"verification_code": verification_code(self.firm.taxpayer_id)}

    @property
    def password(self) -> str:
        return password(self.firm.taxpayer_id)

    @property
    def first_code(self) -> Code | None:
        """The expired code that this firm tries before it logs in, if it has one."""
        return Code(self.behaviour.first_code, _EXPIRED_ON) if self.behaviour.first_code else None

    def request(self) -> Mapping[str, Any]:
        return {"taxpayer_id": self.firm.taxpayer_id, "firm_name": self.firm.name, **self.application}

    def met_by(self, outcome: str | None, statuses: Sequence[str]) -> bool:
        """Whether the actual outcome is the expected one."""
        if self.expected_outcome == ANY:
            return outcome is not None
        return self.expected_outcome == outcome or (
            self.expected_outcome == WITH_OPERATOR and WITH_OPERATOR in statuses and outcome is not None
        )


def read(path: Path = EXAMPLES) -> list[Case]:
    return [Case.model_validate_json(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
