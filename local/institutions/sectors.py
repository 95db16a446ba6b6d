"""The trades of the made-up population, with typical figures."""

from __future__ import annotations

from dataclasses import dataclass

# Each month's turnover in percent of the average month.
FLAT = (96, 88, 101, 101, 101, 102, 101, 101, 102, 102, 102, 103)
SPRING_FESTIVAL = (132, 108, 84, 90, 93, 95, 94, 96, 104, 98, 99, 107)
SUMMER = (80, 72, 90, 98, 108, 118, 126, 124, 108, 98, 92, 86)
YEAR_END = (84, 70, 92, 94, 96, 104, 94, 96, 108, 104, 118, 140)


@dataclass(frozen=True)
class Sector:
    """A trade."""

    code: str
    """Section letter and division of GB/T 4754."""
    chinese: str
    english: str
    margin: float
    """Typical profit / revenue."""
    turnover: float
    """Typical revenue / assets."""
    vat: float
    """Typical VAT / revenue."""
    ticket_fen: int
    """Typical amount of an invoice."""
    per_head_fen: int
    """Typical yearly revenue per employee."""
    season: tuple[int, ...]
    """Percent of the average month, January first."""


SECTORS = (
    Sector("C13", "食品", "Foods", 0.06, 1.6, 0.016, 900_000, 80_000_000, SPRING_FESTIVAL),
    Sector("C18", "服饰", "Apparel", 0.07, 1.4, 0.022, 1_200_000, 45_000_000, YEAR_END),
    Sector("C34", "机械", "Machinery", 0.08, 1.0, 0.030, 4_500_000, 70_000_000, FLAT),
    Sector("C39", "电子", "Electronics", 0.08, 1.2, 0.026, 3_500_000, 75_000_000, FLAT),
    Sector("E50", "装饰工程", "Decoration", 0.07, 1.3, 0.024, 6_000_000, 90_000_000, SUMMER),
    Sector("F51", "贸易", "Trading", 0.04, 2.2, 0.012, 5_000_000, 250_000_000, YEAR_END),
    Sector("F52", "商贸", "Retail", 0.05, 2.4, 0.011, 250_000, 120_000_000, SPRING_FESTIVAL),
    Sector("G54", "运输", "Transport", 0.06, 1.3, 0.025, 700_000, 60_000_000, FLAT),
    Sector("H62", "餐饮管理", "Catering", 0.07, 1.8, 0.018, 150_000, 25_000_000, SUMMER),
    Sector("I65", "软件", "Software", 0.14, 1.1, 0.030, 5_500_000, 45_000_000, YEAR_END),
    Sector("L72", "商务服务", "Business Services", 0.10, 1.5, 0.024, 1_800_000, 50_000_000, FLAT),
    Sector("M74", "检测技术", "Testing", 0.11, 1.1, 0.026, 1_500_000, 40_000_000, FLAT),
)
