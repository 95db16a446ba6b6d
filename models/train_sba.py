"""Learns the model of the public loans: ``python -m models.train_sba [--card PAGE] > models/sba-learnt.json``.

All columns that are known at the decision (``sba.ORIGINATION``), on the approvals of ``sba.WINDOW`` that are guaranteed
in part. Two runs of one recipe: one learns until 2005 and is judged by 2006 and 2007, and tells how the recipe fares in
years it has not seen; the other learns on the whole window but a quarter drawn at random, and is what ships.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.parts import laid_out, text
from models.sba_texts import FEATURES, REASON_OF
from training.card import render_card
from training.config import FeatureConfig, GradesConfig, ScaleConfig, SplitConfig, TrainingConfig
from training.data import columns, sba
from training.train import TrainedModel, train

SCALE = ScaleConfig(base_score=600, base_odds=20, pdo=40)
#: Margins and shares of the limit are policy; default rates are of the whole life of a loan.
GRADES = GradesConfig(
    names=["A", "B", "C", "D", "E", "F", "G", "H"],
    margin_bps=[100, 125, 150, 175, 200, 250, 300, 350],
    limit_factor_bps=[10_000, 10_000, 10_000, 9_000, 8_000, 7_000, 6_000, 5_000],
    cutoff_pd_ppm=400_000,
    refer_pd_ppm=300_000,
)
LIMITS_OF_USE = [
    "Loans guaranteed in part by the U.S. Small Business Administration, approved from 2001 to 2007: no other country, "
    "programme or time. Loans guaranteed in full are another programme, of which the records hold no failure.",
    "The amount is the one approved, not the one asked for: the score is of a loan of that amount, known when the "
    "lender has settled it. Asking for another amount is another score, and nothing here says that the amount is the "
    "cause.",
    "Loans with an outcome only, so default rates are above the truth, more so for late years and long terms: "
    "calibrate anew on a lender's own book. A default rate is of the loan's whole life, not of a year.",
    "State and distance of the bank stand for region: look at what that does to protected groups before it decides.",
    "Firms that no bank lent to are not in the records, and no reject inference was done.",
]


def main() -> None:
    """Learn, tell how it does, write what was learnt and, where asked for, the model card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--card", type=Path, help="file for the model card, a page of HTML")
    arguments = parser.parse_args()
    loans = sba.guaranteed_in_part(sba.approved_within(sba.clean(sba.read(sba.fetch()))))
    rows = sba.training_set(loans, sba.ORIGINATION)
    config = configuration(columns.feature_configs(loans, sba.ORIGINATION))
    later = train(rows, replace(config, split=SplitConfig(test_share=0.0, out_of_time_from=sba.OUT_OF_TIME_FROM)))
    told = _told(later)
    sentence = f"The same recipe, learnt from approvals until 2005 and judged by those of 2006 and 2007: {told}."
    model = train(rows, replace(config, limits_of_use=[sentence, *LIMITS_OF_USE]))
    print(f"later years: {told}\nat random: {_told(model)}", file=sys.stderr)
    if arguments.card:
        arguments.card.write_text(render_card(model.diagnostics), encoding="utf-8")
    sys.stdout.write(laid_out(learnt(model.sections())) + "\n")


def configuration(features: list[FeatureConfig]) -> TrainingConfig:
    """Everything by default but scale, grades, the words of the features, and the groups that the card sets beside."""
    worded = [_worded(one) for one in features]
    return TrainingConfig(features=worded, scale=SCALE, grades=GRADES, fairness=["new_business", "industry_sector"])


def _worded(feature: FeatureConfig) -> FeatureConfig:
    _, unit, source, chinese, english = FEATURES[feature.name]
    label = text(chinese, english)
    return replace(feature, reason_code=REASON_OF[feature.name], unit=unit, source=source, label=label)


def learnt(sections: Mapping[str, Any]) -> dict[str, Any]:
    """What training puts into the artefact; the words of the features stand in models/sba_texts.py."""
    kept = {name: part for name, part in sections.items() if name != "feature_schema"}
    return {"note": "made by models/train_sba.py", **kept}


def _told(model: TrainedModel) -> str:
    """AUC with its interval, and KS, of the rows kept back."""
    parts = model.diagnostics["performance"]
    part = parts.get("out_of_time") or parts["test"]
    return f"AUC {part['auc']:.4f} ({part['auc_low']:.4f} to {part['auc_high']:.4f}), KS {part['ks']:.4f}"


if __name__ == "__main__":
    main()
