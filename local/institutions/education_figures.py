"""The education register's data about a firm's legal representative."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

from institutions.draw import clamp
from institutions.history import happened, in_order
from institutions.identity import CITIES
from institutions.population import Firm
from institutions.registry_figures import legal_representative

# Level, threshold to reach it, usual age at its end.
_LADDER = (
    ("secondary", -9.0, 18),
    ("associate", -0.9, 21),
    ("bachelor", 0.0, 22),
    ("master", 1.4, 25),
    ("doctor", 2.4, 29),
)
_SCHOOLS = {
    "secondary": ("第一中学", "职业高级中学"),
    "associate": ("职业技术学院", "工商专科学校"),
    "bachelor": ("大学", "理工学院", "财经大学"),
    "master": ("大学", "理工学院", "财经大学"),
    "doctor": ("大学",),
}
_UNKNOWN = 0.05


def verification_code(taxpayer_id: str) -> str:
    """The code by which a legal representative lets others look at the degrees."""
    return hashlib.sha256(f"degrees of {taxpayer_id}".encode()).hexdigest()[:16].upper()


def education_data(firm: Firm, as_of: date) -> dict[str, Any]:
    """The legal representative's degrees on a day, as third information of the kind ``education``."""
    return {
        "taxpayer_id": firm.taxpayer_id,
        "person": {"name": legal_representative(firm)},
        "degrees": _degrees(firm, as_of),
    }


def _degrees(firm: Firm, as_of: date) -> list[dict[str, Any]]:
    """The highest degree and, above school, its prerequisites; heads of well-run firms have studied longer."""
    draw = firm.draw("education")
    reached = 0.45 * firm.factors.quality + draw.normal()
    unknown = draw.chance(_UNKNOWN)
    if firm.persona != "ordinary":
        reached, unknown = clamp(reached, 0.1, 2.3), False
    # Year of birth, adjusted for those who started school late or stayed longer.
    born = firm.established_on.year - draw.whole(25, 48)
    levels = [] if unknown else [level for level, least, _ in _LADDER if reached >= least]
    if len(levels) > 1:
        # Degrees imply school; a full degree implies the shorter one.
        levels = levels[2:] or levels[1:]
    rows = [_degree(firm, level, born, as_of) for level in levels]
    return in_order([row for row in rows if row is not None], "graduated_on")


def _degree(firm: Firm, level: str, born: int, as_of: date) -> dict[str, Any] | None:
    draw = firm.draw("degree", level)
    age = next(usual for name, _, usual in _LADDER if name == level)
    graduated_on = happened(date(born + age, 6, draw.whole(15, 30)), as_of)
    if graduated_on is None:
        return None
    return {
        "level": level,
        "institution": draw.pick(CITIES)[0] + draw.pick(_SCHOOLS[level]),
        "graduated_on": graduated_on,
        "verified": draw.chance(0.93) or firm.persona != "ordinary",
    }
