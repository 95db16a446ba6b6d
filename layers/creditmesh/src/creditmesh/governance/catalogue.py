"""The features that rules can use, and the matrix of existing rules.

Derived from a version's artefact and the table of key data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from pydantic import Field, JsonValue

from creditmesh.features.feature import Feature as KeyDataFeature
from creditmesh.features.table import FEATURES, lineage
from creditmesh.governance.model import Value
from creditmesh.governance.statistics import RuleHits, RuleStatistics
from creditmesh.risk.condition_words import condition_words
from creditmesh.risk.expression import variables
from creditmesh.risk.model import ASPECTS, SOURCES, Artefact, Rule

Texts = dict[str, str]

_UNITS = {"fen": "minor", "bps": "bps", "months": "months", "count": "count"}
_CLASSES = {"screening": "system", "application": "borrower", "shop": "merchant"}
_KEY_DATA = {feature.name: feature for feature in FEATURES}


class FeatureUse(Value):
    """The parts of a version that use a feature."""

    rules: list[str]
    characteristics: list[str]
    """`segment/characteristic` of the scorecard."""
    segments: list[str]
    """Segments of the scorecard whose condition uses it."""
    risk_index: list[str]
    """`dimension/characteristic` of the risk index."""
    limit_methods: list[str]
    """Methods of the limit formula."""


class FeatureEntry(Value):
    """One feature of the catalogue, as in the artefact."""

    name: str
    type: str
    unit: str = Field(description="of an integer: minor, bps, months, count or none")
    source: str = Field(description="whose data it is: borrower, merchant, third_party or system")
    label: Texts | None = Field(description="its name by language; null where the version does not know it")
    meaning: str | None
    window: str | None
    read_from: list[str] = Field(description="kinds of third information that the value stands on")
    in_model: bool = Field(description="whether the version's feature schema has it, so that a rule may name it")
    used_by: FeatureUse


class FeatureCatalogue(Value):
    """Every feature of key data or of the version, the version's first."""

    model_id: str
    version: str
    content_hash: str
    features: list[FeatureEntry]


class Cell(Value):
    """A rule's position in the matrix: whose data it reads, and what it judges."""

    source: str
    aspect: str


class RuleEntry(Value):
    """A rule in words."""

    id: str
    label: Texts
    stage: str
    outcome: str
    points: int
    priority: int
    aspect: str
    cells: list[Cell]
    features: list[str]
    effective_from: str | None
    effective_until: str | None = Field(description="exclusive")
    in_force: bool = Field(description="today")
    when: JsonValue = Field(description="the condition as it stands in the artefact")
    condition: Texts = Field(description="the condition in words")
    if_unknown: str = Field(description="fire or pass: what happens where the condition is unknown")
    if_unread: str | None = Field(
        description="fire, pass or refer: what a stop or refer rule does if a source it asks could not be read"
    )
    reason_code: str
    reason: Texts
    adverse_action: str
    hits: RuleHits


class RuleBook(Value):
    """The rules of a version, and their matrix source × aspect."""

    model_id: str
    version: str
    content_hash: str
    rules: list[RuleEntry]
    matrix: dict[str, dict[str, list[str]]]
    """Source → aspect → rule ids; every cell is present."""
    empty_cells: list[Cell]
    """Cells without a rule."""
    hits_from: str
    hits_until: str = Field(description="exclusive")
    hits_pending: list[str] = Field(description="days not counted yet; asking again counts them")


def feature_catalogue(artefact: Artefact) -> FeatureCatalogue:
    """The catalogue for one version."""
    uses = _uses(artefact)
    known = [
        FeatureEntry(
            name=feature.name,
            type=feature.type,
            unit=feature.unit,
            source=feature.source,
            label=dict(feature.label),
            in_model=True,
            used_by=_use(uses, feature.name),
            **_key_data_words(feature.name),
        )
        for feature in artefact.features.values()
    ]
    others = [_unlisted(feature) for feature in FEATURES if feature.name not in artefact.features]
    return FeatureCatalogue(
        model_id=artefact.model_id,
        version=artefact.version,
        content_hash=artefact.content_hash,
        features=[*known, *others],
    )


def rule_book(artefact: Artefact, document: Mapping[str, Any], today: date, hits: RuleStatistics) -> RuleBook:
    """The rules in the order in which they are applied.

    Args:
        document: the document of `artefact`.
        hits: of all versions, by rule id.
    """
    raw = {rule["id"]: rule for rule in document["rules"]}
    entries = [
        _entry(artefact, rule, raw[rule.id], today, hits.rules.get(rule.id, RuleHits())) for rule in artefact.rules
    ]
    matrix: dict[str, dict[str, list[str]]] = {source: {aspect: [] for aspect in ASPECTS} for source in SOURCES}
    for entry in entries:
        for cell in entry.cells:
            matrix[cell.source][cell.aspect].append(entry.id)
    empty = [
        Cell(source=source, aspect=aspect) for source in SOURCES for aspect in ASPECTS if not matrix[source][aspect]
    ]
    return RuleBook(
        model_id=artefact.model_id,
        version=artefact.version,
        content_hash=artefact.content_hash,
        rules=entries,
        matrix=matrix,
        empty_cells=empty,
        hits_from=hits.since,
        hits_until=hits.until,
        hits_pending=hits.pending,
    )


def key_data_feature(name: str) -> KeyDataFeature | None:
    """The feature with that name in the table of key data, or None."""
    return _KEY_DATA.get(name)


def _entry(artefact: Artefact, rule: Rule, raw: Mapping[str, Any], today: date, hits: RuleHits) -> RuleEntry:
    names = sorted(variables(rule.when))
    reason = artefact.reasons[rule.reason_code]
    sources = {artefact.features[name].source for name in names}
    return RuleEntry(
        id=rule.id,
        label=dict(rule.label),
        stage=rule.stage,
        outcome=rule.outcome,
        points=rule.points,
        priority=rule.priority,
        aspect=rule.aspect,
        cells=[Cell(source=source, aspect=rule.aspect) for source in SOURCES if source in sources],
        features=names,
        effective_from=_text(rule.effective_from),
        effective_until=_text(rule.effective_until),
        in_force=rule.in_force(today),
        when=raw["when"],
        condition=condition_words(rule.when, artefact.features),
        if_unknown="fire" if rule.fires_if_unknown else "pass",
        if_unread=rule.if_unread if rule.outcome in ("stop", "refer") else None,
        reason_code=rule.reason_code,
        reason=dict(reason.text),
        adverse_action=reason.adverse_action,
        hits=hits,
    )


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _unlisted(feature: KeyDataFeature) -> FeatureEntry:
    return FeatureEntry(
        name=feature.name,
        type=feature.type,
        unit=_UNITS.get(feature.unit, "none"),
        source=_source_class(feature.name),
        label=None,
        in_model=False,
        used_by=_use({}, feature.name),
        **_key_data_words(feature.name),
    )


def _source_class(name: str) -> str:
    """Whose data it is, if no artefact says so; a value from several sources counts as a third party's."""
    classes = {_CLASSES.get(source, "third_party") for source, _ in lineage()[name]}
    return classes.pop() if len(classes) == 1 else "third_party"


def _key_data_words(name: str) -> dict[str, Any]:
    feature = _KEY_DATA.get(name)
    if feature is None:
        return {"meaning": None, "window": None, "read_from": []}
    read_from = [source for source, _ in lineage()[name]]
    return {"meaning": feature.meaning, "window": feature.window, "read_from": read_from}


def _use(uses: Mapping[str, Mapping[str, list[str]]], name: str) -> FeatureUse:
    found = uses.get(name, {})
    return FeatureUse(**{field: found.get(field, []) for field in FeatureUse.model_fields})


def _uses(artefact: Artefact) -> dict[str, dict[str, list[str]]]:
    """Feature → kind of use → users."""
    found: dict[str, dict[str, list[str]]] = {}
    for kind, user, names in _users(artefact):
        for name in sorted(names):
            users = found.setdefault(name, {}).setdefault(kind, [])
            if user not in users:
                users.append(user)
    return found


def _users(artefact: Artefact) -> Iterator[tuple[str, str, set[str]]]:
    for rule in artefact.rules:
        yield "rules", rule.id, variables(rule.when)
    for segment in artefact.scorecard.segments:
        yield "segments", segment.id, variables(segment.when) if segment.when else set()
        for item in segment.characteristics:
            yield "characteristics", f"{segment.id}/{item.id}", {axis.feature for axis in item.axes}
    for dimension in artefact.risk_index.dimensions if artefact.risk_index else ():
        for item in dimension.characteristics:
            yield "risk_index", f"{dimension.id}/{item.id}", {axis.feature for axis in item.axes}
    for method in artefact.limit.methods:
        yield "limit_methods", method.id, {name for term in method.terms for name in term.features}
