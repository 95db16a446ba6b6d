"""Errors of model artefacts and of the features given to them."""

from __future__ import annotations


class ArtefactInvalid(ValueError):
    """The document breaks a rule of the artefact format and must not be used."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"{path}: {rule}")
        self.path = path
        self.rule = rule


class FeatureInvalid(ValueError):
    """A feature's value has a type other than the artefact's feature schema says, or is out of range.

    The message names the feature and the rule, never the value: values are personal data.
    """

    def __init__(self, feature: str, rule: str) -> None:
        super().__init__(f"{feature}: {rule}")
        self.feature = feature
        self.rule = rule
