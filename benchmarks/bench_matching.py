"""Matching an application against 10,000 products on one core, beside a naive loop and polars: `make bench-matching`.

All three must find the same offers. Times are of the processor, so that other work on the machine counts little; the
catalogue is prepared beforehand, as the platform prepares it every half minute at most. Writes
build/bench/matching.json; ends with 1 if a target is missed. POLARS_MAX_THREADS=1 keeps polars to one core, too.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Callable
from datetime import date
from random import Random
from typing import Any

import polars as pl

from benchmarks.measures import judged, quantiles
from creditmesh.offers import matching
from creditmesh.offers.catalogue import Catalogue
from creditmesh.offers.matching import MOST_OFFERS, match
from creditmesh.offers.model import GRADES, Product
from creditmesh.offers.offer import Fit, Need, Offer
from creditmesh.offers.replay import state_of
from run.places import ROOT

TODAY = date(2026, 11, 30)
TARGETS = {"ours_ms": (("ours", "median"), 50.0)}
_FEATURES: dict[str, Any] = {"tax_late_count_24m": 1}
WEIGHTS = {"cost": 40, "amount": 40, "speed": 20}
_WHOLE = sum(WEIGHTS.values())


def catalogue(count: int, seed: int = 7) -> Catalogue:
    """Products of a hundred lenders: a fifth with a condition, a third with fees, a tenth with a capacity."""
    random = Random(seed)
    products = [_product(random, number) for number in range(count)]
    bounded = [one for one in products if random.random() < 0.1]
    left = {(one.lender_id, one.product_id): random.randrange(0, 100_000_000) for one in bounded}
    hours = {(one.lender_id, one.product_id): random.randrange(1, 200) for one in products if random.random() < 0.3}
    return Catalogue.of(products, left, hours)


def _product(random: Random, number: int) -> Product:
    low, first = random.randrange(1, 40) * 10_000, random.choice((1, 3, 6))
    bps = random.randrange(300, 2_400)
    graded = {"type": "by_grade", "annual_rates_bps": {grade: bps + 60 * at for at, grade in enumerate(GRADES[:5])}}
    based = {"type": "risk_based", "margin_bps": 200, "floor_bps": 300, "cap_bps": 2_400}
    late = {"code": "taxes", "when": {"<=": [{"var": "tax_late_count_24m"}, random.randrange(4)]}, "text": "pays taxes"}
    fee = {"code": "entry", "charged": "at_payout", "share_bps": random.randrange(1, 200)}
    return Product.model_validate({
        "lender_id": f"lender-{number % 100:03}", "product_id": f"product-{number:05}", "version": 1,
        "pushed_at": "2026-11-01T00:00:00.000Z", "pushed_by": "u", "name": f"Credit {number}", "currency": "CNY",
        "min_amount": f"{low}.00", "max_amount": f"{low + random.randrange(0, 200) * 10_000}.00",
        "amount_step": random.choice(("0.01", "1000.00")), "min_term_months": first,
        "max_term_months": first + random.randrange(6, 36),
        "price": random.choice(({"type": "fixed", "annual_rate_bps": bps}, graded, based)),
        "fees": [fee] if random.random() < 0.33 else [], "disbursement_hours": random.randrange(1, 200),
        "min_grade": random.choice(GRADES), "eligibility": [late] if random.random() < 0.2 else [],
        "industries_excluded": random.sample(["A01", "C34", "F51", "K66"], random.randrange(3)),
        "valid_from": "2026-01-01", "valid_until": random.choice(("2026-10-31", "2027-12-31", "2027-12-31")),
    })  # fmt: skip


def needs() -> list[Need]:
    """Small, usual and large requests of firms of three grades."""
    return [
        Need(
            amount_minor=amount, currency="CNY", term_months=12, available_minor=max(amount, 100_000_000), grade=grade,
            model_rate_bps=800, industry="C34", features=_FEATURES, today=TODAY, cap_bps=2_400,
        )
        for amount in (5_000_000, 30_000_000, 150_000_000) for grade in ("AA", "B", "D")
    ]  # fmt: skip


def naive(rows: Catalogue, need: Need) -> list[Offer]:
    """Every product by itself, with its exact cost or what it lacks; then sorted."""
    found = [offer for row in rows.rows for offer in match(Catalogue((row,)), need, WEIGHTS).offers]
    found.sort(
        key=lambda one: (
            matching._ORDER[one.fit], -one.rank_points, one.annual_rate_bps, one.lender_id, one.product_id
        )
    )  # fmt: skip
    return found[:MOST_OFFERS]


class Frame:
    """The catalogue as columns; conditions and exact costs stay with Python, as no column can hold them."""

    def __init__(self, rows: Catalogue) -> None:
        self.rows = rows
        self.frame = pl.DataFrame({
            "at": range(len(rows.rows)),
            **{name: [getattr(row, name) for row in rows.rows] for name in ("low", "high", "step", "worst", "speed")},
            "left": [row.left for row in rows.rows],
            **{name: [getattr(row.product, name) for row in rows.rows] for name in _OF_PRODUCT},
            **{f"rate_{at}": [row.rates[at] for row in rows.rows] for at in range(len(GRADES))},
            "based": [all(rate is None for rate in row.rates) for row in rows.rows],
        })  # fmt: skip

    def match(self, need: Need) -> list[Offer]:
        """The best offers: filters, fit and bound in columns, the rest as ours."""
        grade, asked = GRADES.index(need.grade), need.amount_minor
        based = min(2_400, max(300, (need.model_rate_bps or 0) + 200))  # the one risk-based price of this catalogue
        high = pl.min_horizontal("high", pl.lit(need.available_minor), "left")
        fitting = (
            self.frame.lazy()
            .with_columns(rate=pl.when("based").then(based).otherwise(pl.col(f"rate_{grade}")), top=high)
            .filter(
                pl.col("currency") == need.currency,
                pl.col("min_term_months") <= need.term_months, pl.col("max_term_months") >= need.term_months,
                (need.term_months - pl.col("min_term_months")) % pl.col("term_step_months") == 0,
                pl.col("valid_from") <= need.today, pl.col("valid_until") >= need.today, pl.col("worst") >= grade,
                ~pl.col("industries_excluded").list.contains(need.industry), pl.col("top") >= pl.col("low"),
                pl.col("rate") <= need.cap_bps,
            )
            .with_columns(top=pl.col("top") - (pl.col("top") - pl.col("low")) % pl.col("step"))
            .with_columns(
                order=pl.when(pl.col("low") > asked).then(2).when(pl.col("top") < asked).then(1).otherwise(0),
                amount=pl.when(pl.col("low") > asked).then("low").when(pl.col("top") < asked).then("top")
                .otherwise(asked - (asked - pl.col("low")) % pl.col("step")),
            )
            .with_columns(
                fit=pl.min_horizontal("amount", pl.lit(asked)) * 10_000 // pl.max_horizontal("amount", pl.lit(asked)),
                cost=(10_000 - pl.col("rate") * 10_000 // matching.DEAREST_BPS).clip(0),
            )
            .with_columns(
                bound=(
                    WEIGHTS["cost"] * pl.col("cost") + WEIGHTS["amount"] * pl.col("fit")
                    + WEIGHTS["speed"] * pl.col("speed")
                ) // _WHOLE
            )
            .sort("order", -pl.col("bound"), "at")
            .select("order", "bound", "at", "amount", "top", "rate")
            .collect()
        )  # fmt: skip
        fits, candidates = list(Fit), []
        for order, bound, at, amount, top, rate in fitting.iter_rows():
            row = self.rows.rows[at]
            if all(condition.holds(need.features) for *_, condition in row.conditions):
                candidates.append((order, -bound, at, matching._Candidate(row, fits[order], amount, top, rate)))
        return matching._best(candidates, need, WEIGHTS, _WHOLE)


_OF_PRODUCT = (
    "currency", "min_term_months", "max_term_months", "term_step_months", "valid_from", "valid_until",
    "industries_excluded",
)  # fmt: skip


def timed(act: Callable[[Need], list[Offer]], times: int) -> tuple[dict[str, Any], list[list[Offer]]]:
    """Processor milliseconds of a matching, and the offers to each need."""
    found: list[list[Offer]] = []
    taken: list[float] = []
    for _ in range(times):
        found = []
        for need in needs():
            began = time.process_time()
            found.append(act(need))
            taken.append((time.process_time() - began) * 1000)
    return quantiles(taken, 1), found


def main() -> int:
    """Command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--products", type=int, default=10_000)
    options = arguments.parse_args()
    rows = catalogue(options.products)
    frame = Frame(rows)
    ours, expected = timed(lambda need: match(rows, need, WEIGHTS).offers, 5)
    columns, same = timed(frame.match, 5)
    loop, exact = timed(lambda need: naive(rows, need), 1)
    state = gzip.compress(json.dumps(state_of(rows), separators=(",", ":")).encode(), mtime=0)
    result: dict[str, Any] = {
        "products": options.products, "ours": ours, "polars": columns, "naive": loop,
        "offers": [len(one) for one in expected], "same": expected == same == exact,
        "state_of_catalogue_bytes": len(state),
    }  # fmt: skip
    result["targets"] = judged(result, TARGETS)
    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1)
    (folder / "matching.json").write_text(text + "\n", "utf-8")
    print(text)
    return 0 if result["same"] and all(one["met"] for one in result["targets"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
