"""The lenders' products: small and fast, large and cheap, for good grades and for average ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Best first; the platform's artefact uses A to F.
GRADES = ("AAA", "AA", "A", "B", "C", "D", "E", "F")
CURRENCY = "CNY"


@dataclass(frozen=True)
class Product:
    """A product; amounts in yuan, the rate in basis points a year."""

    lender_id: str
    product_id: str
    name: str
    min_amount: int
    max_amount: int
    min_term_months: int
    max_term_months: int
    annual_rate_bps: int
    """Of the best grade, where `rates` has others."""
    disbursement_hours: int
    min_grade: str
    industries_excluded: tuple[str, ...] = ()
    rates: tuple[tuple[str, int], ...] = ()
    """Rates by grade, for a product priced so."""
    fees: tuple[dict[str, Any], ...] = ()

    def rate(self, grade: str) -> int | None:
        """The yearly rate for a grade; None if it lends to none of it."""
        return dict(self.rates).get(grade) if self.rates else self.annual_rate_bps

    def terms(self) -> dict[str, Any]:
        """The body of ``PUT /v1/products/{product_id}``."""
        return {
            "name": self.name,
            "currency": CURRENCY,
            "min_amount": f"{self.min_amount}.00",
            "max_amount": f"{self.max_amount}.00",
            "min_term_months": self.min_term_months,
            "max_term_months": self.max_term_months,
            "amount_step": "1000.00",
            "price": {"type": "by_grade", "annual_rates_bps": dict(self.rates)}
            if self.rates
            else {"type": "fixed", "annual_rate_bps": self.annual_rate_bps},
            "fees": list(self.fees),
            "disbursement_hours": self.disbursement_hours,
            "min_grade": self.min_grade,
            "industries_excluded": list(self.industries_excluded),
            "repayment_methods": ["annuity", "equal_principal"],
            "valid_from": "2026-01-01",
            "valid_until": "2035-12-31",
        }


_NO = ("E50",)
_GRADED = (("A", 590), ("B", 660), ("C", 740), ("D", 880))
_FEE = ({"code": "arrangement", "charged": "at_payout", "share_bps": 50},)
_PRODUCTS = (
    Product("harbor-bank", "harbor-working-capital", "Harbor Working Capital", 200_000, 3_000_000, 6, 36, 520, 48, "B"),
    Product("harbor-bank", "harbor-invoice", "Harbor Invoice Loan", 100_000, 1_000_000, 3, 12, 620, 24, "C"),
    Product("riverstone-credit", "riverstone-quick", "Riverstone Quick", 50_000, 500_000, 3, 24, 1_080, 1, "D"),
    Product("riverstone-credit", "riverstone-growth", "Riverstone Growth", 200_000, 1_500_000, 6, 24, 860, 6, "D", _NO,
            fees=_FEE),
    Product("northgate-bank", "northgate-tax-loan", "Northgate Tax Loan", 100_000, 2_000_000, 6, 24, 590, 12, "C"),
    Product("northgate-bank", "northgate-starter", "Northgate Starter", 50_000, 300_000, 6, 36, 590, 24, "D",
            rates=_GRADED),
    Product("northgate-bank", "northgate-prime", "Northgate Prime", 500_000, 3_000_000, 12, 36, 450, 72, "A"),
)  # fmt: skip


def products_of(lender_id: str) -> list[Product]:
    """A lender's products; an unknown lender gets the terms of new lenders."""
    own = [product for product in _PRODUCTS if product.lender_id == lender_id]
    general = Product(lender_id, f"{lender_id}-general", "General Loan", 50_000, 1_000_000, 3, 24, 900, 24, "C")
    return own or [general]
