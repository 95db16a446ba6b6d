"""The made-up firms known to every embedded institution, each derived from (seed, index)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from institutions import identity
from institutions.draw import Draw, clamp, power
from institutions.sectors import FLAT, SECTORS, Sector

DEFAULT_SEED = 7
DEFAULT_POPULATION = 400
# Fixed positions in every population.
PERSONAS = (
    "good_firm",
    "blacklisted",
    "expired_code",
    "tax_abnormal",
    "no_product_fits",
    "lender_rejects",
    "lender_silent",
    "thin_file",
)
LENDERS_HABITS = {
    "lender_counters": 137,
    "lender_asks": 141,
    "banks_reject": 132,
    "payment_repeated": 114,
    "cancelled_too_late": 40,
}
"""Ordinary firms whom lenders treat in their own way -> their positions."""
LIMIT_CASES = {"reduced_offer": 170, "larger_offer": 187, "priced_by_grade": 148, "repeated": 171, "two_at_once": 134}
"""Ordinary firms whose requests show limits and products' bounds, with grades and limits that fit on any day."""
_TYPICAL_REVENUE_FEN = 800_000_000
_EPOCH = date(2006, 1, 1)
_LATEST_DAYS = (date(2025, 12, 31) - _EPOCH).days
_YOUNG = 0.03
_THIN_FILE_MONTHS = 7


@dataclass(frozen=True)
class Factors:
    """Latent factors behind a firm's figures; each about standard normal, ``growth`` a yearly rate."""

    size: float
    """Scale of the business."""
    quality: float
    """How well it is run: margin, leverage, stability."""
    discipline: float
    """How well it meets its duties: tax, filings, penalties."""
    growth: float
    """Yearly change of turnover, as a fraction."""


@dataclass(frozen=True)
class Firm:
    """One made-up firm."""

    seed: int
    index: int
    persona: str
    """One of ``PERSONAS``, or ``ordinary``."""
    taxpayer_id: str
    name: str
    """The registered name, in Chinese; ``name_latin`` is the English trade name."""
    name_latin: str
    city: str
    sector: Sector
    factors: Factors
    established_on: date
    registered_on: date
    annual_revenue_fen: int
    """Yearly turnover at the level of January 2024."""
    margin: float
    leverage: float
    """Liabilities / assets."""

    def draw(self, *topic: int | str) -> Draw:
        """Draws for one topic, independent of other topics."""
        return Draw(self.seed, self.index, *topic)


def password(taxpayer_id: str) -> str:
    """The made-up password of a firm at the tax bureau."""
    return "pw-" + taxpayer_id[-6:]


def expired_code(seed: int) -> str:
    """The code of persona ``expired_code``, which the tax bureau knows as expired."""
    return "expired-" + hashlib.sha256(f"expired:{seed}".encode()).hexdigest()[:24]


def persona_id(seed: int, persona: str) -> str:
    """The taxpayer id of one of `PERSONAS`, or of a firm of `LENDERS_HABITS`."""
    index = LENDERS_HABITS[persona] if persona in LENDERS_HABITS else PERSONAS.index(persona)
    return identity.taxpayer_id(seed, index)


def blacklist_entries(seed: int, population: int = DEFAULT_POPULATION) -> list[str]:
    """The taxpayer ids for the platform's blacklist: the persona's, and about 1 % of ordinary firms."""
    ordinary = range(len(PERSONAS) + 33, population, 97)
    return [persona_id(seed, "blacklisted"), *(identity.taxpayer_id(seed, index) for index in ordinary)]


class Population:
    """The firms of one seed, each created on first use.

    Args:
        seed: Determines all firms exactly.
        size: Number of firms, at most 10,000.
    """

    def __init__(self, seed: int = DEFAULT_SEED, size: int = DEFAULT_POPULATION) -> None:
        if not len(PERSONAS) <= size <= identity.LARGEST_POPULATION:
            raise ValueError(f"population must be between {len(PERSONAS)} and {identity.LARGEST_POPULATION}")
        self.seed = seed
        self.size = size

    def firm(self, index: int, as_of: date) -> Firm:
        """The firm at ``index``; the day matters only for ``thin_file``, which is always seven months old.

        Raises:
            IndexError: no such firm.
        """
        if not 0 <= index < self.size:
            raise IndexError(index)
        return _firm(self.seed, index, as_of if index == PERSONAS.index("thin_file") else _EPOCH)

    def persona(self, persona: str, as_of: date) -> Firm:
        return self.firm(PERSONAS.index(persona), as_of)

    def by_taxpayer_id(self, code: str, as_of: date) -> Firm | None:
        """The firm with this code, or None."""
        index = identity.index_of(self.seed, code)
        return None if index is None or index >= self.size else self.firm(index, as_of)


@lru_cache(maxsize=512)
def _firm(seed: int, index: int, as_of: date) -> Firm:
    draw = Draw(seed, index, "firm")
    persona = PERSONAS[index] if index < len(PERSONAS) else "ordinary"
    drawn = _factors(draw)
    factors = drawn if persona == "ordinary" else _persona_factors(persona)
    # Personas are steady by design: a seasonal trade would blur their figures.
    sector = draw.pick(SECTORS if persona == "ordinary" else [sector for sector in SECTORS if sector.season is FLAT])
    established_on, registered_on = _dates(draw, persona, as_of)
    called = identity.name(seed, index)
    return Firm(
        seed=seed,
        index=index,
        persona=persona,
        taxpayer_id=identity.taxpayer_id(seed, index),
        name=f"{called.city}{called.chinese}{sector.chinese}有限公司",
        name_latin=f"{called.city_latin} {called.latin} {sector.english} Co., Ltd.",
        city=called.city,
        sector=sector,
        factors=factors,
        established_on=established_on,
        registered_on=registered_on,
        # (1 + x/16)^16 approximates e^x.
        annual_revenue_fen=int(_TYPICAL_REVENUE_FEN * power(1.0 + 0.8 * factors.size / 16.0, 16)),
        margin=sector.margin + 0.025 * factors.quality + 0.01 * draw.normal(),
        leverage=clamp(0.50 - 0.11 * factors.quality + 0.06 * draw.normal(), 0.05, 1.3),
    )


def _factors(draw: Draw) -> Factors:
    size, quality = draw.normal(), draw.normal()
    discipline = 0.5 * quality + 0.866 * draw.normal()
    growth = clamp(0.05 + 0.08 * quality + 0.06 * draw.normal(), -0.35, 0.45)
    return Factors(size=size, quality=quality, discipline=discipline, growth=growth)


def _persona_factors(persona: str) -> Factors:
    if persona == "good_firm":
        return Factors(size=0.8, quality=1.9, discipline=2.0, growth=0.18)
    if persona == "thin_file":
        return Factors(size=-0.5, quality=0.6, discipline=1.2, growth=0.10)
    return Factors(size=0.4, quality=1.3, discipline=1.6, growth=0.12)


def _dates(draw: Draw, persona: str, as_of: date) -> tuple[date, date]:
    """Establishment and tax registration."""
    days, wait = draw.whole(0, _LATEST_DAYS), draw.whole(8, 45)
    if persona == "thin_file":
        months = as_of.year * 12 + as_of.month - 1 - _THIN_FILE_MONTHS
        established_on, wait = date(months // 12, months % 12 + 1, 1), 9
    elif persona == "ordinary":
        young = draw.chance(_YOUNG)
        established_on = _EPOCH + timedelta(days=_LATEST_DAYS - days // 10 if young else days)
    else:
        established_on = _EPOCH + timedelta(days=days // 2)
    return established_on, established_on + timedelta(days=wait)
