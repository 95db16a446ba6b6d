"""What goes wrong with a training set or its configuration, by name."""

from __future__ import annotations

from collections.abc import Sequence


class TrainingFailed(Exception):
    """Base of all that a training run reports instead of a model; ``code`` names it for machines."""

    code = "training_failed"


class TrainingSetInvalid(TrainingFailed):
    """The rows cannot be learnt from.

    Args:
        code: ``too_few_rows``, ``one_class_only``, ``bad_outcome``, ``bad_weight``, ``no_date``, ``missing_column``,
            ``bad_dtype``, ``constant_column``, ``empty_column``, ``leaked_target`` or ``nothing_predicts``.
        message: what a person is told.
        columns: the features meant, if any.
    """

    def __init__(self, code: str, message: str, columns: Sequence[str] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.columns = tuple(columns)


class ConfigInvalid(TrainingFailed):
    """The configuration says what it may not; ``path`` tells where."""

    code = "config_invalid"

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"config_invalid: {path}: {message}")
        self.path = path
        self.message = message
