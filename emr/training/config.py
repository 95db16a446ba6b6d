"""Configuration of a training run: features, scale, selection, splits, gates. JSON in, frozen values out.

Every field except the features has a default: ``{"features": [{"name": "revenue_minor", "kind": "integer"}]}``.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from training.errors import ConfigInvalid
from training.reading import read

Kind = Literal["integer", "string", "boolean"]
Monotonic = Literal["auto", "ascending", "descending", "none"]
RejectMethod = Literal["none", "parcelling", "fuzzy", "reweighting"]
Value = int | str | bool


@dataclass(frozen=True)
class FeatureConfig:
    """A feature that may become a characteristic."""

    name: str
    """Column of the training set and feature of the artefact."""
    kind: Kind
    specials: list[list[int]] = field(default_factory=list)
    """Groups of integer codes that are not amounts; each group is a bin of its own."""
    monotonic: Monotonic = "auto"
    """Trend of the default rate with rising values. ``auto``: monotone where it costs nothing measurable; ``ascending``
    and ``descending`` hold in every table with the feature; ``none``: as in the data."""
    bounds: list[int] | None = None
    """Forced bounds (integers) or groups (strings, booleans) instead of bins from the data."""
    groups: list[list[Value]] | None = None
    may_pair: bool = True
    """Whether the feature may be paired with others."""
    reason_code: str | None = None
    """For the artefact: reason code for lost points, unit, source and label; code and label default to the name."""
    unit: str = "none"
    source: str = "borrower"
    label: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ScaleConfig:
    """Points: ``base_score`` at odds of ``base_odds`` good to one bad; ``pdo`` more points double the odds."""

    base_score: int = 600
    base_odds: int = 20
    pdo: int = 40


@dataclass(frozen=True)
class ChecksConfig:
    """Conditions under which a training set is refused."""

    min_rows: int = 200
    min_class_rows: int = 30
    """Required rows of each class."""
    max_single_auc: float = 0.9
    """A single feature with a greater AUC counts as a leak."""
    forbidden: list[str] = field(default_factory=list)
    """Names that are never features, because they are known later or identify a person."""
    empty_share: float = 0.99
    """Share of unknown values from which a column counts as empty."""
    unusable: Literal["error", "drop"] = "error"
    """Constant or empty columns: end the run, or drop them with the reason in the card."""


@dataclass(frozen=True)
class BinningConfig:
    """Bins of single characteristics."""

    min_bin_share: float = 0.005
    """Minimum share of rows in a bin."""
    min_bin_rows: int = 30
    """Minimum number of rows in a bin."""
    max_bins: int = 40
    max_groups: int = 40


@dataclass(frozen=True)
class SelectionConfig:
    """Which features become characteristics."""

    min_iv: float = 0.005
    max_correlation: float = 0.9
    """Of two features whose WoE correlate more, the one with the higher IV is kept."""
    max_vif: float = 10.0
    """Features with a greater variance inflation are dropped."""
    max_characteristics: int = 25
    sign_constraint: bool = True
    """Drop characteristics whose WoE gets a coefficient of the wrong sign."""
    max_psi: float | None = None
    """Features with a greater PSI on the out-of-time split are dropped; None: only reported."""


@dataclass(frozen=True)
class PairsConfig:
    """Characteristics over two features at once."""

    max_pairs: int = 30
    max_cells: int = 400


@dataclass(frozen=True)
class SegmentConfig:
    """A separate scorecard for the applications that meet the condition (first match)."""

    id: str
    when: dict[str, Any] | None = None
    """A condition in the artefact's language (a subset of JsonLogic); None: all others, last."""


@dataclass(frozen=True)
class SplitConfig:
    """Rows held out from the fit."""

    test_share: float = 0.25
    """Random share of rows, by class, for the test; 0: none."""
    out_of_time_share: float = 0.0
    """The newest share of rows, or all from a date on, for the out-of-time test."""
    out_of_time_from: datetime.date | None = None
    folds: int = 4
    """Folds for choosing the complexity within the training rows."""


@dataclass(frozen=True)
class GradesConfig:
    """Grades from calibrated default rates."""

    names: list[str] = field(default_factory=lambda: ["A", "B", "C", "D", "E", "F", "G", "H"])
    confidence: float = 0.95
    """Two-sided confidence of a grade's band of default rates."""
    margin_bps: list[int] = field(default_factory=lambda: [100, 120, 140, 160, 180, 200, 220, 240])
    """By grade, from the best: margin in bps, and limit factor. Shorter lists repeat the last value."""
    limit_factor_bps: list[int] = field(
        default_factory=lambda: [10_000, 9_000, 8_000, 7_000, 6_000, 5_000, 4_000, 3_000]
    )
    cutoff_pd_ppm: int = 400_000
    """Scores below the one with this calibrated default rate are declined."""
    refer_pd_ppm: int | None = 300_000
    """Scores from this default rate on are referred; None: none."""


@dataclass(frozen=True)
class GatesConfig:
    """Conditions for promotion; the results are in the diagnostics."""

    min_auc: float = 0.6
    max_auc_drop: float = 0.03
    """Training minus test."""
    max_psi: float = 0.25
    max_calibration_error: float = 0.02
    max_rounding_loss: float = 0.002
    max_label_jump: float = 2.0
    """Maximum ratio of the default rate of the newest labels, or of one source's, to all others': a jump hints at
    poisoned labels."""
    max_label_changes: float = 0.05
    """Maximum share of labels that were changed later."""
    min_auc_gain: float = 0.0
    """Against the champion, on held-out rows: lower end of the 95 % interval of the gain in AUC; loss of KS."""
    max_ks_loss: float = 0.01
    min_class_rows: int = 50
    """Rows of each class that such a comparison needs."""
    max_characteristic_psi: float = 0.25
    max_approval_shift: float = 0.1
    """Maximum change of the share of firms that reach the cutoff."""
    min_four_fifths: float = 0.8
    """Minimum ratio of the lowest to the best group's approval rate."""


@dataclass(frozen=True)
class TrainingConfig:
    """All settings of a training run."""

    features: list[FeatureConfig]
    seed: int = 20_260_101
    scale: ScaleConfig = field(default_factory=ScaleConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)
    binning: BinningConfig = field(default_factory=BinningConfig)
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    segments: list[SegmentConfig] | Literal["auto"] | None = "auto"
    """Conditions, ``"auto"`` (splits that pay off in cross-validation) or None: one scorecard for all."""
    max_segments: int = 4
    """Maximum number for ``"auto"``."""
    reject_inference: RejectMethod = "none"
    reject_prudence: float = 1.0
    """Odds of default of a rejected row relative to a similar accepted one."""
    split: SplitConfig = field(default_factory=SplitConfig)
    grades: GradesConfig = field(default_factory=GradesConfig)
    gates: GatesConfig = field(default_factory=GatesConfig)
    fairness: list[str] = field(default_factory=list)
    """Columns of the fairness report; they need not be features."""
    complexity: Literal["auto", "logistic", "additive", "pairs"] = "auto"
    """Complexity of the model: ``auto`` is chosen by cross-validation; ``logistic`` is WoE and logistic regression
    only, ``additive`` adds finer tables, ``pairs`` adds paired characteristics."""
    data_name: str = "training set"
    """Name of the data in the card, and origin of the outcomes, when the job reads them."""
    outcome_kind: Literal["observed", "simulated"] = "observed"
    limits_of_use: list[str] = field(default_factory=list)
    """Sentences for the model card: what the model must not be used for."""

    def feature(self, name: str) -> FeatureConfig:
        return next(feature for feature in self.features if feature.name == name)


def load(text: str) -> TrainingConfig:
    """Parse a configuration from JSON.

    Raises:
        ConfigInvalid: not JSON, an unknown field, or a value of the wrong type.
    """
    try:
        document = json.loads(text)
    except ValueError as problem:
        raise ConfigInvalid("config", "no JSON") from problem
    return read(TrainingConfig, document, "config")
