"""Our scorecard beside other libraries' and beside gradient boosting, on the same rows.

``python -m benchmarks.bench_models [--data sba german] [--models ours optbinning] [--rows N]``: JSON on standard
output, a table on standard error. build/bench/models.json keeps the newest figures of each model on each data set, but
none of a run with ``--rows``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score

from benchmarks.model_data import DATA_SETS, SPLITS, DataSet
from benchmarks.model_table import table
from training.config import ChecksConfig, SplitConfig, TrainingConfig
from training.data import columns, sba
from training.frame import TrainingSet
from training.measures import ks
from training.train import train

ROOT = Path(__file__).parents[1]
BENCH = ROOT / "build" / "bench"
PEERS_PYTHON = ROOT / ".venvs" / "peers" / "bin" / "python"
PEERS = ("optbinning", "scorecardpy", "toad", "boosting", "boosting-large")
SLOW = ("scorecardpy", "toad")
FULL = ("sba", "sba-with-term", "german")
BOOSTING = ("boosting", "boosting-large")
REFERENCE = "optbinning"
MINUTES = 30
Floats = NDArray[np.float64]


def main() -> None:
    """Measure, print the figures as JSON and keep them in build/bench/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", choices={**DATA_SETS, **SPLITS}, default=list(DATA_SETS))
    parser.add_argument("--splits", action="store_true", help="German credit cut in ten other ways, and the averages")
    parser.add_argument("--models", nargs="+", choices=("ours", *PEERS), help="all, but slow ones on three sets only")
    parser.add_argument("--rows", type=int, help="at most so many training rows; for a quick look")
    arguments = parser.parse_args()
    if arguments.models != ["ours"] and not PEERS_PYTHON.exists():
        sys.exit("the other libraries are not here: python3 local/setup.py --with peers")
    kept = {} if arguments.rows else earlier(BENCH / "models.json")
    chosen: dict[str, Callable[[], DataSet]] = {**DATA_SETS, **SPLITS}
    names = list(SPLITS) if arguments.splits else arguments.data
    for name in names:
        data = chosen[name]()
        if arguments.rows:
            data = data.shortened(arguments.rows)
        usual = ("ours", *(peer for peer in PEERS if peer not in SLOW or name in (*FULL, *SPLITS)))
        for model in arguments.models or usual:
            print(f"{data.label}: {model} …", file=sys.stderr, flush=True)
            figures = measured(model, data, BENCH / "models" / name)
            kept[name] = merged(kept.get(name, {}), data, {model: figures})
            if not arguments.rows:
                # After each model: the whole takes long.
                (BENCH / "models.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
        print(table(kept[name]), file=sys.stderr, flush=True)
    if arguments.splits:
        kept["german-splits"] = averages([kept[name]["models"] for name in names])
        (BENCH / "models.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
        names = ["german-splits"]
    print(json.dumps({name: kept[name] for name in names}, indent=2))


def averages(splits: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of each model that never failed the mean over the splits, and how far ours is above it, with standard error."""
    found: dict[str, Any] = {}
    for model in splits[0]:
        if any("failed" in split[model] for split in splits):
            continue
        found[model] = {}
        for figure in ("auc", "ks"):
            values = np.array([split[model][figure] for split in splits])
            above = np.array([split["ours"][figure] for split in splits]) - values
            error = above.std(ddof=1) / np.sqrt(len(splits))
            told = {figure: values.mean(), f"ours_{figure}_above": above.mean(), f"{figure}_standard_error": error}
            found[model] |= {name: round(float(value), 4) for name, value in told.items()}
    return found


def earlier(path: Path) -> dict[str, Any]:
    """What earlier runs found, by data set."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def merged(before: dict[str, Any], data: DataSet, figures: dict[str, Any]) -> dict[str, Any]:
    """One data set's figures with new ones of some models; what was measured on other rows goes."""
    described = {
        "label": data.label,
        "train_rows": data.train.height,
        "test_rows": data.test.height,
        "bad_rate": {"train": round(_bad(data.train, data).mean(), 4), "test": round(_bad(data.test, data).mean(), 4)},
    }
    same = all(before.get(name) == value for name, value in described.items())
    models = {**(before["models"] if same else {}), **figures}
    return {**described, "models": models, "gap_closed": gap_closed(models)}


def measured(model: str, data: DataSet, directory: Path) -> dict[str, Any]:
    """One model's figures, and the day they are of."""
    figures = ours(data) if model == "ours" else peer(model, data, *data.write(directory))
    return {**figures, "measured_on": datetime.now(UTC).date().isoformat()}


def ours(data: DataSet) -> dict[str, Any]:
    """A scorecard of integer points, trained on the training rows alone."""
    started = time.perf_counter()
    model = train(training_set(data), configuration(data))
    seconds = time.perf_counter() - started
    rows = training_set(data, test=True).features
    started = time.perf_counter()
    rates = model.pd_ppm(rows) / 1e6
    score_seconds = time.perf_counter() - started
    figures = judged(-model.score(rows).astype(np.float64), rates, data)
    shape = {
        # Measured by the trainer on the rows it learnt from.
        "rounding_loss": round(max(model.diagnostics["rounding"].values()), 5),
        "characteristics": [len(card["characteristics"]) for card in model.sections()["scorecard"]["segments"]],
        "pairs": sum(
            len(item["axes"]) == 2
            for card in model.sections()["scorecard"]["segments"]
            for item in card["characteristics"]
        ),
    }
    return {**figures, **shape, "fit_seconds": round(seconds, 2), "score_seconds": round(score_seconds, 2)}


def configuration(data: DataSet) -> TrainingConfig:
    """Everything by default; no leak detector, as one of the sets has a leak on purpose; no rows held back twice."""
    return TrainingConfig(
        features=columns.feature_configs(data.train, data.features),
        checks=ChecksConfig(max_single_auc=1.0),
        split=SplitConfig(test_share=0.0),
    )


def training_set(data: DataSet, test: bool = False) -> TrainingSet:
    """One part as our trainer takes it."""
    part = data.test if test else data.train
    if sba.APPROVED_ON not in part.columns:
        part = part.with_columns(pl.date(1994, 11, 17).alias(sba.APPROVED_ON))
    return columns.training_set(part, data.features, name=data.label, target=data.target, observed=sba.APPROVED_ON)


def peer(model: str, data: DataSet, train_path: Path, test_path: Path) -> dict[str, Any]:
    """Another library in a process and an environment of its own."""
    target = train_path.with_name(f"{model}.npy")
    command = [str(PEERS_PYTHON), "benchmarks/model_peers.py", model, str(train_path), str(test_path), str(target)]
    # What they print on standard error is kept apart, to be shown only when they fail.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=MINUTES * 60, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {MINUTES} minutes"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    rates = np.load(target)
    return {**judged(rates, rates, data), **json.loads(done.stdout.strip().splitlines()[-1])}


def judged(risk: Floats, rates: Floats, data: DataSet) -> dict[str, Any]:
    """AUC, KS and Brier score on the test rows; for dated loans also the AUC among loans of the same year."""
    bad = _bad(data.test, data)
    figures = {
        "auc": round(float(roc_auc_score(bad, risk)), 4),
        "ks": round(ks(risk, bad), 4),
        "brier": round(float(brier_score_loss(bad, rates)), 5),
    }
    if sba.APPROVED_ON in data.test.columns:
        figures["auc_within_year"] = round(within(risk, bad, data.test[sba.APPROVED_ON].dt.year().to_numpy()), 4)
    return figures


def within(risk: Floats, bad: NDArray[np.int8], year: NDArray[np.int32]) -> float:
    """The AUC of each year's rows by itself, averaged by rows: what is left when the year tells nothing."""
    parts = [year == one for one in np.unique(year)]
    known = [part for part in parts if 0 < bad[part].sum() < part.sum()]
    return float(
        np.average([roc_auc_score(bad[part], risk[part]) for part in known], weights=[part.sum() for part in known])
    )


def gap_closed(found: dict[str, Any]) -> float | None:
    """Share of the AUC between the reference scorecard and the better boosting that ours gains; None if one failed."""
    best: float | None = max((found[name]["auc"] for name in BOOSTING if "auc" in found.get(name, {})), default=None)
    low, own = (found.get(name, {}).get("auc") for name in (REFERENCE, "ours"))
    if best is None or low is None or own is None or best <= low:
        return None
    return round(float((own - low) / (best - low)), 3)


def _bad(part: pl.DataFrame, data: DataSet) -> NDArray[np.int8]:
    return part[data.target].cast(pl.Int8).to_numpy()


if __name__ == "__main__":
    main()
