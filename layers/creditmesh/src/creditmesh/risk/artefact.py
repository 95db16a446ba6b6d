"""Load an artefact from its JSON text.

The format is described in docs/reference/risk-model.md and models/artefact.schema.json. A document is validated when it
is saved (`creditmesh.governance.document`); loading only verifies its hash and signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any, TypeVar

from creditmesh.risk.document import SEALS, Node, canonical_hash, parse_json
from creditmesh.risk.errors import ArtefactInvalid
from creditmesh.risk.expression import Condition, FeatureType, parse_condition
from creditmesh.risk.model import (
    FORMAT_VERSION,
    LANGUAGES,
    STAGES,
    Artefact,
    Dimension,
    Feature,
    Grade,
    IndexGrade,
    LimitFormula,
    LimitMethod,
    LimitTerm,
    PriceTable,
    Reason,
    RiskIndex,
    Rule,
    TestCase,
)
from creditmesh.risk.points import Axis, Characteristic, Scorecard, Segment

__all__ = ["Artefact", "ArtefactInvalid", "Verify", "load", "seal"]

Verify = Callable[[str, Mapping[str, str]], bool]
"""Whether a signature (``key_id``, ``algorithm``, ``value`` in base64) of the content hash was made by a trusted key.
"""

Part = Mapping[str, Any]
Types = Mapping[str, FeatureType]
T = TypeVar("T")


def load(text: str, verify: Verify | None = None) -> Artefact:
    """Return the model that ``text`` describes.

    Args:
        verify: checks the signature; None accepts an unsigned document, for example a developer's file.

    Raises:
        ArtefactInvalid: wrong format, content changed after sealing, no trusted signature, or parts of another release.
    """
    document = parse_json(text)
    if not isinstance(document, dict):
        raise ArtefactInvalid("$", "must be an object")
    if document.get("format_version") != FORMAT_VERSION:
        raise ArtefactInvalid("$.format_version", f"must be {FORMAT_VERSION}")
    content_hash = canonical_hash(document)
    if document.get("content_hash") != content_hash:
        raise ArtefactInvalid("$.content_hash", "must be the hash of the document's canonical JSON")
    if verify is not None:
        if "signature" not in document:
            raise ArtefactInvalid("$.signature", "is missing: an unsigned model must not be used")
        if not _signed(document["signature"], content_hash, verify):
            raise ArtefactInvalid("$.signature", "must be made from the content hash by a trusted key")
    try:
        return _artefact(document)
    except ArtefactInvalid:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # checked and signed by another release
        raise ArtefactInvalid("$", f"must have the parts that this release reads: {error!r}") from error


def seal(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``document`` with its new ``content_hash`` and without its signature, which no longer matches."""
    content = {key: value for key, value in document.items() if key not in SEALS}
    return {**content, "content_hash": canonical_hash(content)}


def read_segments(cards: Sequence[Part], types: Types) -> tuple[Segment, ...]:
    return tuple(
        _of(Segment, card, when=_condition(card["when"], types), characteristics=_characteristics(card, types))
        for card in cards
    )


def read_axis(given: Part, types: Types) -> Axis:
    feature = given["feature"]
    sets = given["specials"] if types[feature] == "integer" else given["groups"]
    return Axis(feature, types[feature], tuple(given.get("bounds", ())), tuple(map(tuple, sets)))


def _signed(signature: Any, content_hash: str, verify: Verify) -> bool:
    shape = {"key_id": str, "algorithm": str, "value": str}
    fits = isinstance(signature, dict) and {name: type(value) for name, value in signature.items()} == shape
    return fits and verify(content_hash, signature)


def _of(kind: type[T], given: Part, **read: Any) -> T:
    """Return a part whose fields are those of the document, but for what is ``read`` out of it."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # each is a dataclass
    return kind(**{name: given[name] for name in names if name not in read}, **read)


def _artefact(given: Part) -> Artefact:
    schema, card, limit, index = (given[name] for name in ("feature_schema", "scorecard", "limit", "risk_index"))
    features = {name: Feature(name=name, **feature) for name, feature in schema["features"].items()}
    types = {name: feature.type for name, feature in features.items()}
    rules = [_rule(rule, types) for rule in given["rules"]]
    reasons = given["reasons"].items()
    return _of(
        Artefact,
        given,
        feature_schema=f"{schema['id']}-{schema['version']}",
        features=features,
        rules=tuple(sorted(rules, key=lambda rule: (STAGES.index(rule.stage), -rule.priority))),
        scorecard=_of(Scorecard, card, segments=read_segments(card["segments"], types)),
        calibration=tuple((step["min_score"], step["pd_ppm"]) for step in given["calibration"]),
        grades=tuple(_of(Grade, grade) for grade in given["grades"]),
        price=_of(PriceTable, given["price"], declines_above_cap=given["price"]["above_cap"] == "decline"),
        limit=_of(LimitFormula, limit, methods=tuple(map(_method, limit["methods"]))),
        risk_index=index and _risk_index(index, types),
        reasons={code: _of(Reason, one, text={name: one[name] for name in LANGUAGES}) for code, one in reasons},
        tests=tuple(
            _of(TestCase, test, on=date.fromisoformat(test["on"]), expected=test["expect"]) for test in given["tests"]
        ),
    )


def _rule(given: Part, types: Types) -> Rule:
    begin, end = (given[f"effective_{name}"] for name in ("from", "until"))
    return _of(
        Rule,
        given,
        when=parse_condition(Node(given["when"]), types),
        fires_if_unknown=given["if_unknown"] == "fire",
        if_unread=given.get("if_unread", "refer"),
        points=given.get("points", 0),
        effective_from=begin and date.fromisoformat(begin),
        effective_until=end and date.fromisoformat(end),
    )


def _condition(given: Any, types: Types) -> Condition | None:
    return None if given is None else parse_condition(Node(given), types)


def _characteristics(given: Part, types: Types) -> tuple[Characteristic, ...]:
    def one(item: Part) -> Characteristic:
        axes = tuple(read_axis(axis, types) for axis in item["axes"])
        return _of(Characteristic, item, axes=axes, points=tuple(item["points"]))

    return tuple(map(one, given["characteristics"]))


def _method(given: Part) -> LimitMethod:
    terms = (_of(LimitTerm, term, features=tuple(term["greatest_of"])) for term in given.get("terms", ()))
    return _of(LimitMethod, given, terms=tuple(terms), amount_minor=given.get("amount_minor"))


def _risk_index(given: Part, types: Types) -> RiskIndex:
    dimensions = (
        _of(Dimension, dimension, characteristics=_characteristics(dimension, types))
        for dimension in given["dimensions"]
    )
    return _of(
        RiskIndex,
        given,
        dimensions=tuple(dimensions),
        grades=tuple(_of(IndexGrade, grade) for grade in given["grades"]),
    )
