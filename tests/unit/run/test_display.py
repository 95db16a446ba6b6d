"""The table of results on terminals of every width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from run.display import table
from run.results import STAGES, Row

ROW = Row(
    persona="payment_repeated", firm="云岭恒铭餐饮管理有限公司", taxpayer_id="", outcome="declined_admission",
    expected="any", as_expected=True, asked="3000000.00", chosen="2500000.00", apr="10.80", score=700,
    limit="2750000.00", product="harbor-working-capital", lender="riverstone-credit",
    stages=dict.fromkeys(STAGES, 42.1),
)  # fmt: skip


def shown(row: Row, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(table([row], width))
    return out.getvalue().splitlines()[1:]


@pytest.mark.parametrize("width", [80, 90, 100, 110, 130, 200, 230])
def test_asked_chosen_and_cost_are_shown_whole_on_any_terminal(width: int) -> None:
    heading, cells = shown(ROW, width)
    for text in ("asked", "chosen", "% p.a.", "expected"):
        assert text in heading
    for text in ("payment_repeated", "declined_admission", "3000000", "2500000", "10.80", "42.1", "yes"):
        assert text in cells
    assert "…" not in heading + cells


def test_a_wide_terminal_shows_everything() -> None:
    _, cells = shown(ROW, 230)
    for text in (ROW.firm, "700", "2750000", "harbor-working-capital", "riverstone-credit"):
        assert text in cells
    assert cells.count("42.1") == len(STAGES) - 1


def test_what_did_not_happen_is_a_dash() -> None:
    row = ROW.model_copy(update={"chosen": None, "apr": None, "stages": {}, "as_expected": False})
    _, cells = shown(row, 80)
    assert cells.split() == ["payment_repeated", "declined_admission", "3000000", "–", "–", "–", "no:", "any"]
