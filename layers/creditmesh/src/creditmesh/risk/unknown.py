"""What was unknown where a decision turned on it: features with the sources that could not be read, and in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from creditmesh.risk.evaluator import zero_terms
from creditmesh.risk.expression import Features, variables
from creditmesh.risk.model import LANGUAGES, Artefact, Feature, LimitMethod, Texts
from creditmesh.risk.report_words import WORDS, format_value


class Unknown:
    """The unknown features of one firm, as a model sees them.

    Args:
        artefact: the model with the rules in force when it decided.
        known: `Artefact.checked` features.
    """

    def __init__(self, artefact: Artefact, known: Features) -> None:
        self._artefact, self._known, self.unread = artefact, known, artefact.unread(known)

    def value(self, feature: Feature) -> Texts:
        """The feature's value in words, or why it is unknown."""
        lost = self.unread.get(feature.name)
        return {
            name: unread_words(lost, name) if lost else format_value(self._known[feature.name], feature.unit, name)
            for name in LANGUAGES
        }

    def of_method(self, method: LimitMethod) -> list[str]:
        """The unknown features for which a limit method is 0 or not applied."""
        return [name for term in zero_terms(method, self._known) for name in term.features]

    def of_result(self, result: Mapping[str, Any]) -> list[str]:
        """The unknown features behind the reason «missing» of a decline or referral."""
        found = list(self._of_rules(result))
        if result["stage"] in ("limit", "referred"):
            found += [name for method in self._artefact.limit.methods for name in self.of_method(method)]
        if not found:
            found += self.of_points(result)
        return list(dict.fromkeys(found))

    def of_points(self, result: Mapping[str, Any]) -> list[str]:
        """The unknown features that lost points."""
        segment = next((item for item in self._artefact.scorecard.segments if item.id == result["segment"]), None)
        items = segment.characteristics if segment else ()
        return [
            axis.feature
            for line, item in zip(result["points"], items, strict=True)
            for axis in item.axes
            if line["lost"] > 0 and self._known[axis.feature] is None
        ]

    def _of_rules(self, result: Mapping[str, Any]) -> Iterator[str]:
        undecided = set(result.get("unread_rules", ()))
        for rule in self._artefact.rules:
            open_rule = rule.id in result["fired_rules"] and rule.when.holds(self._known, self.unread) is None
            if rule.id in undecided or open_rule:
                yield from (name for name in sorted(variables(rule.when)) if self._known[name] is None)

    def parameters(self, names: Iterable[str]) -> dict[str, list[str]]:
        """The features by name, and the sources that could not be read."""
        names = list(names)
        return {"features": names, "sources": sorted({kind for name in names for kind in self.unread.get(name, ())})}

    def words(self, names: Iterable[str], language: str) -> str:
        """The features' labels, grouped by why they are unknown."""
        words, groups = WORDS[language], dict[tuple[str, ...], list[str]]()
        for name in names:
            groups.setdefault(self.unread.get(name, ()), []).append(self._artefact.features[name].label[language])
        return words["semicolon"].join(
            words["bracketed"].format(
                outer=words["comma"].join(labels), inner=unread_words(lost, language) if lost else words["unknown"]
            )
            for lost, labels in groups.items()
        )


def unread_words(sources: Iterable[str], language: str) -> str:
    """«could not be read: court register»."""
    words = WORDS[language]
    return words["unread"].format(sources=words["comma"].join(words.get(f"source_{kind}", kind) for kind in sources))
