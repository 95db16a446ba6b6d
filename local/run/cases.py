"""The loan applications of examples/applications.jsonl, with their expected outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from client.borrower import Code
from client.views import Offer
from institutions.education_figures import verification_code
from institutions.population import password
from run.errors import RunError
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


class NotOffered(Exception):
    """The product that a line wants to choose is not among the offers."""


class Behaviour(BaseModel):
    """How the borrower reacts; chooses an offer and signs the contract."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validity_days: int = 365
    choice: Literal["best", "largest"] = "best"
    product_id: str | None = Field(default=None, description="the product to choose; any by default")
    amount: str | None = Field(default=None, description="the amount to choose; as offered by default")
    after: str | None = Field(default=None, description="persona of an earlier line whose application must have ended")
    together: str | None = Field(default=None, description="all lines that name the same choose at the same moment")
    sign: Literal[True] = True
    consents: list[str] = Field(
        default=["credit_bureau", "shop", "education", "anti_fraud"], description="rights granted besides tax data"
    )
    manager: Literal["prompt", "silent"] = "prompt"
    """How the manager reacts to a request without a flow."""
    cancel_payment: bool = Field(default=False, description="whether an operator asks the lender not to pay")
    first_code: str | None = Field(default=None, description="an old code, tried before logging in")

    def pick(self, offers: Sequence[Offer]) -> Offer:
        """The offer to choose, with the amount; ranked offers, best first."""
        wanted = [one for one in offers if self.product_id in (None, one.product_id)]
        if not wanted:
            raise NotOffered(f"{self.product_id} is not offered")
        # max takes the first, so the best, of equals.
        one = max(wanted, key=lambda each: Decimal(each.amount)) if self.choice == "largest" else wanted[0]
        return one.model_copy(update={"amount": self.amount}) if self.amount else one


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
    """The lines of a file.

    Raises:
        RunError: a line waits for a persona that no earlier line has.
    """
    found = [Case.model_validate_json(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    earlier: set[str] = set()
    for number, case in enumerate(found, 1):
        if case.behaviour.after is not None and case.behaviour.after not in earlier:
            raise RunError(
                f"{path}: application {number}: behaviour.after names no earlier line: {case.behaviour.after}"
            )
        earlier.add(case.persona)
    return found
