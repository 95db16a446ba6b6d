"""What can be wrong with a model artefact or with the features given to it."""

from __future__ import annotations


class ArtefactInvalid(ValueError):
    """The document breaks a rule of the artefact format, so nothing may be decided with it."""

    def __init__(self, path: str, rule: str) -> None:
        """Name the place (``$.scorecard.cutoff``) and the rule broken there."""
        super().__init__(f"{path}: {rule}")
        self.path = path
        self.rule = rule


class FeatureInvalid(ValueError):
    """A feature's value is of another type than the artefact's feature schema says, or out of range.

    The message names the feature and the rule, never the value: values are personal data.
    """

    def __init__(self, feature: str, rule: str) -> None:
        """Name the feature and the rule broken."""
        super().__init__(f"{feature}: {rule}")
        self.feature = feature
        self.rule = rule
