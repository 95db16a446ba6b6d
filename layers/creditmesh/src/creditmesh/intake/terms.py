"""The terms that a borrower chose, frozen under their hash."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.errors import DomainError


class TermsAltered(DomainError):
    """Stored terms are not those that were chosen: their hash differs, or they name another product."""

    code = "terms_altered"


class ChosenTerms(BaseModel):
    """The terms of the choice, frozen; whatever is agreed later is compared with them."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    product_id: str
    version: int
    """Of the product."""
    amount: str
    currency: str
    term_months: int
    repayment_method: str
    annual_rate_bps: int
    day_count: str
    due_day: int | None = None
    grace_months: int = 0
    fees: list[dict[str, Any]] = []
    cost: dict[str, str]
    """As disclosed before the choice."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of all the others, made with the choice."""

    @classmethod
    def freeze(cls, **terms: Any) -> Self:
        """The terms with their hash."""
        whole = cls.model_validate(cls(**terms, sha256="0" * 64).model_dump())
        return whole.model_copy(update={"sha256": whole._hash()})

    def verify(self, lender_id: str | None, product_id: str | None) -> None:
        """Check terms that were read.

        Raises:
            TermsAltered: they are not those that were frozen, or not of this lender's product.
        """
        if self.sha256 != self._hash() or (self.lender_id, self.product_id) != (lender_id, product_id):
            raise TermsAltered("the stored terms are not those that were chosen")

    def _hash(self) -> str:
        # Only what was stored: a field that the platform learns later does not alter earlier terms.
        document = self.model_dump(mode="json", exclude={"sha256"}, exclude_unset=True, exclude_none=True)
        text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
