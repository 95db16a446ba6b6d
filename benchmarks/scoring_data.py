"""Made-up firms for the scoring benchmark: Parquet of as many rows as wanted, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_FILE = 1_000_000
ROWS_PER_GROUP = 250_000
_SEED = 20_261_122

Values = npt.NDArray[np.int64]
_Draw = Callable[[np.random.Generator, int], Values]


def _money(median: float, spread: float) -> _Draw:
    """Minor units in whole yuan, log-normal."""
    return lambda chance, rows: (np.exp(chance.normal(np.log(median), spread, rows))).astype(np.int64) * 100


def _signed_money(median: float, spread: float, losing: float) -> _Draw:
    def draw(chance: np.random.Generator, rows: int) -> Values:
        sign = np.where(chance.random(rows) < losing, -1, 1)
        return _money(median, spread)(chance, rows) * sign

    return draw


def _bps(mean: float, spread: float, low: int, high: int) -> _Draw:
    return lambda chance, rows: chance.normal(mean, spread, rows).clip(low, high).astype(np.int64)


def _count(mean: float) -> _Draw:
    return lambda chance, rows: chance.negative_binomial(1.2, 1.2 / (1.2 + mean), rows).astype(np.int64)


def _months(mean: float, most: int) -> _Draw:
    return lambda chance, rows: chance.gamma(2.0, mean / 2.0, rows).clip(0, most).astype(np.int64)


INTEGERS: dict[str, tuple[_Draw, float]] = {
    "tax_registration_months": (_months(70, 600), 0.0),
    "revenue_12m_minor": (_money(3_000_000, 1.3), 0.01),
    "revenue_growth_bps": (_bps(600, 4_000, -10_000, 60_000), 0.08),
    "profit_margin_bps": (_bps(700, 1_500, -10_000, 9_000), 0.05),
    "operating_cash_flow_12m_minor": (_signed_money(300_000, 1.5, 0.3), 0.06),
    "debt_ratio_bps": (_bps(5_500, 2_200, 0, 20_000), 0.04),
    "current_ratio_bps": (_bps(14_000, 7_000, 0, 100_000), 0.04),
    "tax_paid_12m_minor": (_money(90_000, 1.4), 0.02),
    "late_filings_24m": (_count(0.9), 0.0),
    "invoice_buyers_12m": (_count(28.0), 0.03),
    "largest_buyer_share_bps": (_bps(3_200, 2_000, 0, 10_000), 0.03),
    "credit_lines": (_count(2.5), 0.1),
    "credit_utilisation_bps": (_bps(4_800, 2_800, 0, 15_000), 0.1),
    "days_past_due_max_24m": (_count(6.0), 0.1),
    "enquiries_6m": (_count(2.2), 0.1),
    "outstanding_debt_minor": (_money(700_000, 1.6), 0.1),
    "lawsuits_36m": (_count(0.3), 0.0),
    "shop_orders_12m": (_count(900.0), 0.35),
    "shop_refund_share_bps": (_bps(420, 400, 0, 10_000), 0.35),
    "monthly_volatility_bps": (_bps(3_500, 1_800, 0, 30_000), 0.05),
    "requested_amount_minor": (_money(300_000, 0.8), 0.0),
}
"""Integer features: how they are drawn, and the share that is unknown."""
TEXTS: dict[str, tuple[tuple[str, ...], tuple[float, ...], float]] = {
    "industry": (
        ("A01", "C13", "C26", "C34", "E47", "F51", "F52", "G54", "H61", "I65", "K70", "L72", "O80"),
        (5, 6, 4, 7, 9, 21, 24, 6, 5, 4, 3, 4, 2),
        0.01,
    ),
    "tax_credit_rating": (("A", "B", "M", "C", "D"), (18, 55, 14, 10, 3), 0.02),
}
"""Text features: their values with weights, and the share that is unknown."""
FLAGS: dict[str, tuple[float, float]] = {"registered_active": (0.97, 0.005), "on_watch_list": (0.01, 0.0)}
"""Truths: the share that is true, and the share that is unknown."""


def table(part: int, rows: int) -> pa.Table:
    """The firms of one file: an id and every feature."""
    chance = np.random.default_rng([_SEED, part])
    columns: dict[str, pa.Array] = {"firm_id": pa.array(np.arange(rows, dtype=np.int64) + part * ROWS_PER_FILE)}
    for name, (draw, unknown) in INTEGERS.items():
        columns[name] = pa.array(draw(chance, rows), mask=chance.random(rows) < unknown)
    for name, (values, weights, unknown) in TEXTS.items():
        shares = np.array(weights) / sum(weights)
        codes = chance.choice(len(values), rows, p=shares).astype(np.int8)
        indices = pa.array(codes, mask=chance.random(rows) < unknown)
        columns[name] = pa.DictionaryArray.from_arrays(indices, list(values)).cast(pa.string())
    for name, (true, unknown) in FLAGS.items():
        columns[name] = pa.array(chance.random(rows) < true, mask=chance.random(rows) < unknown)
    return pa.table(columns)


def generate(directory: Path, rows: int) -> Path:
    """Write what is not there yet; a folder of Parquet files of a million rows at most.

    Returns:
        The folder for just so many rows.
    """
    target = directory / f"firms-{rows}"
    if (target / "_SUCCESS").exists():
        return target
    target.mkdir(parents=True, exist_ok=True)
    for part in range(-(-rows // ROWS_PER_FILE)):
        count = min(ROWS_PER_FILE, rows - part * ROWS_PER_FILE)
        path = target / f"part-{part:05}.parquet"
        pq.write_table(table(part, count), path, row_group_size=ROWS_PER_GROUP, compression="snappy")
    (target / "_SUCCESS").touch()
    return target
