"""The comparison of models as a table for people."""

from __future__ import annotations

from typing import Any

COLUMNS = ("auc", "ks", "brier", "auc_within_year", "rounding_loss", "fit_seconds", "score_seconds")
_HEADS = ("AUC", "KS", "Brier", "AUC in year", "rounding", "fit s", "score s")


def table(result: dict[str, Any]) -> str:
    """One data set: a line for each model."""
    train, test = result["train_rows"], result["test_rows"]
    rates = result["bad_rate"]
    lines = [
        f"\n{result['label']}: {train:,} rows to learn ({rates['train']:.1%} bad), "
        f"{test:,} to judge ({rates['test']:.1%})",
        f"{'':16}" + "".join(f"{head:>13}" for head in _HEADS),
    ]
    for name, figures in result["models"].items():
        told = figures.get("failed") or "".join(f"{figures.get(column, ''):>13}" for column in COLUMNS)
        lines.append(f"{name:16}{told}")
    if result["gap_closed"] is not None:
        lines.append(f"share of the gap between optbinning and boosting that ours closes: {result['gap_closed']:.1%}")
    return "\n".join(lines)
