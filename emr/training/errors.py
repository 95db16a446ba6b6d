"""Errors of a training set or its configuration."""

from __future__ import annotations

from collections.abc import Sequence


class TrainingFailed(Exception):
    """Base of what a training run reports instead of a model; ``code`` is for machines."""

    code = "training_failed"


class TrainingSetInvalid(TrainingFailed):
    """The rows cannot be used for training.

    Args:
        code: ``too_few_rows``, ``one_class_only``, ``bad_outcome``, ``bad_weight``, ``no_date``, ``missing_column``,
            ``bad_dtype``, ``constant_column``, ``empty_column``, ``leaked_target`` or ``nothing_predicts``.
        message: for people.
        columns: the affected features, if any.
    """

    def __init__(self, code: str, message: str, columns: Sequence[str] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.columns = tuple(columns)


class ConfigInvalid(TrainingFailed):
    """The configuration is invalid at ``path``."""

    code = "config_invalid"

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"config_invalid: {path}: {message}")
        self.path = path
        self.message = message
