"""What a training run is told: features, scale, selection, splits, gates. JSON in, frozen values out.

Every field has a default except the features, so a configuration says only what differs:
``{"features": [{"name": "revenue_minor", "kind": "integer"}]}``.
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
    """One feature that may become a characteristic."""

    name: str
    """Column of the training set and feature of the artefact."""
    kind: Kind
    specials: list[list[int]] = field(default_factory=list)
    """Integer codes that mean something else than an amount, in groups: each group is a bin of its own."""
    monotonic: Monotonic = "auto"
    """How the default rate goes as the value rises. ``auto``: monotone where that costs nothing that can be shown;
    ``ascending`` and ``descending`` are kept in every table the feature is in; ``none``: as the data say."""
    bounds: list[int] | None = None
    """Forced bounds (integers) or groups (strings, booleans) instead of bins found from the data."""
    groups: list[list[Value]] | None = None
    may_pair: bool = True
    """May the feature be paired with others?"""
    reason_code: str | None = None
    """For the artefact: reason code when it loses points, unit, source and label; code and label default to the name.
    """
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
    """When a training set is refused."""

    min_rows: int = 200
    min_class_rows: int = 30
    """Rows of each class that are needed."""
    max_single_auc: float = 0.9
    """A single feature whose AUC is greater than this is taken for a leak."""
    forbidden: list[str] = field(default_factory=list)
    """Names that are never features, as they are known only later or identify somebody."""
    empty_share: float = 0.99
    """Share of unknown values from which a column counts as empty."""
    unusable: Literal["error", "drop"] = "error"
    """Constant or empty columns: end the run, or leave them out with the reason in the card."""


@dataclass(frozen=True)
class BinningConfig:
    """Bins of single characteristics."""

    min_bin_share: float = 0.005
    """Least share of rows in a bin."""
    min_bin_rows: int = 30
    """Least rows in a bin, whatever their share."""
    max_bins: int = 40
    max_groups: int = 40


@dataclass(frozen=True)
class SelectionConfig:
    """Which features become characteristics."""

    min_iv: float = 0.005
    max_correlation: float = 0.9
    """Of two features whose WoE correlate more than this, the one with the higher IV stays."""
    max_vif: float = 10.0
    """Variance inflation from which a feature is left out."""
    max_characteristics: int = 25
    sign_constraint: bool = True
    """A characteristic whose WoE gets a coefficient of the wrong sign is left out."""
    max_psi: float | None = None
    """Stability over the out-of-time split, above which a feature is left out; None: only reported."""


@dataclass(frozen=True)
class PairsConfig:
    """Characteristics over two features at once."""

    max_pairs: int = 30
    max_cells: int = 400


@dataclass(frozen=True)
class SegmentConfig:
    """A scorecard of its own for the applications that the condition holds for (first match)."""

    id: str
    when: dict[str, Any] | None = None
    """A condition in the artefact's language (JsonLogic's subset); None: all others, last."""


@dataclass(frozen=True)
class SplitConfig:
    """What is kept back from the fit."""

    test_share: float = 0.25
    """Share of rows drawn at random, by class, for the test; 0: none."""
    out_of_time_share: float = 0.0
    """The youngest share of rows, or all from a date on, are kept for the out-of-time test."""
    out_of_time_from: datetime.date | None = None
    folds: int = 4
    """Parts for the choice of complexity inside the training rows."""


@dataclass(frozen=True)
class GradesConfig:
    """Grades from calibrated default rates."""

    names: list[str] = field(default_factory=lambda: ["A", "B", "C", "D", "E", "F", "G", "H"])
    confidence: float = 0.95
    """Two-sided confidence of a grade's band of default rates."""
    margin_bps: list[int] = field(default_factory=lambda: [100, 120, 140, 160, 180, 200, 220, 240])
    """By grade, from the best: bps on the rate, and factor on the limit. Shorter lists repeat their last."""
    limit_factor_bps: list[int] = field(
        default_factory=lambda: [10_000, 9_000, 8_000, 7_000, 6_000, 5_000, 4_000, 3_000]
    )
    cutoff_pd_ppm: int = 400_000
    """The score below which a decision is a decline is set where the calibrated default rate reaches this."""
    refer_pd_ppm: int | None = 300_000
    """And a referral from here on; None: no score is referred."""


@dataclass(frozen=True)
class GatesConfig:
    """What a candidate must keep for promotion; each result is in the diagnostics."""

    min_auc: float = 0.6
    max_auc_drop: float = 0.03
    """Train less test."""
    max_psi: float = 0.25
    max_calibration_error: float = 0.02
    max_rounding_loss: float = 0.002
    max_label_jump: float = 2.0
    """Default rate of the newest labels, or of one source's, against all others', as a factor: a jump hints at poisoned
    labels."""
    max_label_changes: float = 0.05
    """Share of labels that were changed after they had been given."""
    min_auc_gain: float = 0.0
    """Against the model in force, on rows kept back: lower end of the 95 % band of the gain in AUC; loss of KS."""
    max_ks_loss: float = 0.01
    min_class_rows: int = 50
    """Rows of each class that such a comparison needs."""
    max_characteristic_psi: float = 0.25
    max_approval_shift: float = 0.1
    """Change of the share of firms that reach the cutoff."""
    min_four_fifths: float = 0.8
    """Lowest group's approval rate to the best group's."""


@dataclass(frozen=True)
class TrainingConfig:
    """The whole of a training run's settings."""

    features: list[FeatureConfig]
    seed: int = 20_260_101
    scale: ScaleConfig = field(default_factory=ScaleConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)
    binning: BinningConfig = field(default_factory=BinningConfig)
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    segments: list[SegmentConfig] | Literal["auto"] | None = "auto"
    """Conditions, ``"auto"`` (splits that cross-validation shows to be worth it) or None: one scorecard for all."""
    max_segments: int = 4
    """At most so many, where they are looked for."""
    reject_inference: RejectMethod = "none"
    reject_prudence: float = 1.0
    """How many times greater the odds of default of a rejected row are than of an accepted one that looks the same."""
    split: SplitConfig = field(default_factory=SplitConfig)
    grades: GradesConfig = field(default_factory=GradesConfig)
    gates: GatesConfig = field(default_factory=GatesConfig)
    fairness: list[str] = field(default_factory=list)
    """Columns by which fairness is told; they need not be features."""
    complexity: Literal["auto", "logistic", "additive", "pairs"] = "auto"
    """How complex the model may be: ``auto`` lets cross-validation choose; ``logistic`` is WoE and logistic regression
    alone, ``additive`` adds finer tables, ``pairs`` adds paired characteristics."""
    data_name: str = "training set"
    """What the set of rows is called in the card, and where its outcomes are from, when the job reads them."""
    outcome_kind: Literal["observed", "simulated"] = "observed"
    limits_of_use: list[str] = field(default_factory=list)
    """Sentences for the model card: what the model is not for."""

    def feature(self, name: str) -> FeatureConfig:
        """The feature of this name."""
        return next(feature for feature in self.features if feature.name == name)


def load(text: str) -> TrainingConfig:
    """Read a configuration from JSON.

    Raises:
        ConfigInvalid: not JSON, an unknown field, or a value of another type than the field's.
    """
    try:
        document = json.loads(text)
    except ValueError as problem:
        raise ConfigInvalid("config", "no JSON") from problem
    return read(TrainingConfig, document, "config")
