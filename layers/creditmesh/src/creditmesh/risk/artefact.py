"""From the artefact's JSON text to the frozen model, with every rule of the format checked (S10).

The format is described in docs/risk-model.md and, for tools, in models/artefact.schema.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from creditmesh.risk.document import Node, canonical_hash, parse_json
from creditmesh.risk.errors import ArtefactInvalid
from creditmesh.risk.expression import FeatureType, parse_condition
from creditmesh.risk.model import (
    AMOUNT_CEILING_MINOR,
    BPS,
    FORMAT_VERSION,
    LANGUAGES,
    MAX_FACTOR_BPS,
    UNITS,
    Artefact,
    Feature,
    Grade,
    LimitFormula,
    LimitMethod,
    Rule,
    Texts,
)
from creditmesh.risk.scorecard import parse_scorecard

__all__ = ["Artefact", "ArtefactInvalid", "load", "seal"]

_ID = r"[a-z][a-z0-9_]{0,63}"
_CODE = r"[A-Z][A-Z0-9_]{0,63}"
_SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?"


def load(text: str) -> Artefact:
    """Return the model that ``text`` describes.

    Raises:
        ArtefactInvalid: with the path and the rule broken; a document altered since it was sealed among them.
    """
    root = Node(parse_json(text))
    parts = root.fields(
        [
            "format_version",
            "model_id",
            "version",
            "content_hash",
            "currency",
            "feature_schema",
            "blacklist",
            "admission",
        ]
        + ["scorecard", "grades", "limit", "max_reasons", "reasons"]
    )
    parts["format_version"].integer(FORMAT_VERSION, FORMAT_VERSION)
    if parts["content_hash"].text() != canonical_hash(root.value):
        raise parts["content_hash"].fail("is the hash of the document's canonical JSON")
    schema = parts["feature_schema"].fields(["id", "version", "features"])
    features = {name: _feature(name, node) for name, node in schema["features"].mapping().items()}
    types = {name: feature.type for name, feature in features.items()}
    reasons = {code: _texts(node) for code, node in parts["reasons"].mapping().items()}
    blacklist = tuple(_rule(node, types, reasons) for node in parts["blacklist"].items())
    admission = tuple(_rule(node, types, reasons) for node in parts["admission"].items())
    _unique((rule.id for rule in blacklist + admission), parts["admission"])
    scorecard = parse_scorecard(parts["scorecard"], types, reasons)
    return Artefact(
        model_id=parts["model_id"].text(_ID),
        version=parts["version"].text(_SEMVER),
        content_hash=parts["content_hash"].text(),
        currency=parts["currency"].text("[A-Z]{3}"),
        feature_schema=f"{schema['id'].text('[a-z][a-z0-9-]*')}-{schema['version'].integer(1, 10_000)}",
        features=MappingProxyType(features),
        blacklist=blacklist,
        admission=admission,
        scorecard=scorecard,
        grades=_grades(parts["grades"], scorecard.cutoff),
        limit=_limit(parts["limit"], types, reasons),
        max_reasons=parts["max_reasons"].integer(1, 10),
        reasons=MappingProxyType(reasons),
    )


def seal(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``document`` with its ``content_hash`` put in; what writes artefacts calls this last."""
    return {**document, "content_hash": canonical_hash(document)}


def _feature(name: str, node: Node) -> Feature:
    Node(name, node.path).text(_ID)
    parts = node.fields(["type", "unit", "label"])
    types: dict[str, FeatureType] = {"integer": "integer", "string": "string", "boolean": "boolean"}
    return Feature(name, types[parts["type"].choice(types)], parts["unit"].choice(UNITS), _texts(parts["label"]))


def _texts(node: Node) -> Texts:
    parts = node.fields(LANGUAGES)
    return MappingProxyType({language: parts[language].text() for language in LANGUAGES})


def _rule(node: Node, types: Mapping[str, FeatureType], reasons: Mapping[str, Texts]) -> Rule:
    parts = node.fields(["id", "when", "if_unknown", "reason_code"])
    return Rule(
        id=parts["id"].text(_ID),
        when=parse_condition(parts["when"], types),
        fires_if_unknown=parts["if_unknown"].choice(["fire", "pass"]) == "fire",
        reason_code=parts["reason_code"].choice(reasons),
    )


def _grades(node: Node, cutoff: int) -> tuple[Grade, ...]:
    grades = tuple(_grade(item) for item in node.items(1, 26))
    _unique((grade.grade for grade in grades), node)
    if any(upper.min_score <= lower.min_score for upper, lower in pairwise(grades)):
        raise node.fail("lists grades from the highest min_score down")
    if grades[-1].min_score > cutoff:
        raise node.fail("has a grade for every score from the cutoff up")
    return grades


def _grade(node: Node) -> Grade:
    parts = node.fields(["grade", "min_score", "pd_bps", "annual_rate_bps", "limit_factor_bps"])
    return Grade(
        grade=parts["grade"].text("[A-Z][A-Z0-9]{0,3}"),
        min_score=parts["min_score"].integer(-(10**6), 10**6),
        pd_bps=parts["pd_bps"].integer(0, BPS),
        annual_rate_bps=parts["annual_rate_bps"].integer(0, 10 * BPS),
        limit_factor_bps=parts["limit_factor_bps"].integer(0, BPS),
    )


def _limit(node: Node, types: Mapping[str, FeatureType], reasons: Mapping[str, Texts]) -> LimitFormula:
    parts = node.fields(["methods", "step_minor", "floor_minor", "reason_code"])
    methods = tuple(_method(item, types, reasons) for item in parts["methods"].items(2, 20))
    _unique((method.id for method in methods), parts["methods"])
    if all(method.amount_minor is None for method in methods):
        raise parts["methods"].fail("has a fixed amount, so that no limit is unbounded")
    return LimitFormula(
        methods=methods,
        step_minor=parts["step_minor"].integer(1, AMOUNT_CEILING_MINOR),
        floor_minor=parts["floor_minor"].integer(1, AMOUNT_CEILING_MINOR),
        reason_code=parts["reason_code"].choice(reasons),
    )


def _method(node: Node, types: Mapping[str, FeatureType], reasons: Mapping[str, Texts]) -> LimitMethod:
    """A method is either ``greatest_of`` + ``factor_bps`` + ``if_missing``, or ``amount_minor``."""
    common = ["id", "reason_code", "label"]
    if "amount_minor" in node.mapping():
        parts = node.fields([*common, "amount_minor"])
        amount: int | None = parts["amount_minor"].integer(0, AMOUNT_CEILING_MINOR)
        names: tuple[str, ...] = ()
        factor, missing = BPS, "skip"
    else:
        parts = node.fields([*common, "greatest_of", "factor_bps", "if_missing"])
        integers = [name for name, kind in types.items() if kind == "integer"]
        names = tuple(item.choice(integers) for item in parts["greatest_of"].items(1, 5))
        factor, missing = parts["factor_bps"].integer(0, MAX_FACTOR_BPS), parts["if_missing"].choice(["skip", "zero"])
        amount = None
    return LimitMethod(
        id=parts["id"].text(_ID),
        features=names,
        factor_bps=factor,
        amount_minor=amount,
        zero_if_missing=missing == "zero",
        reason_code=parts["reason_code"].choice(reasons),
        label=_texts(parts["label"]),
    )


def _unique(ids: Iterable[str], node: Node) -> None:
    seen = list(ids)
    if len(set(seen)) != len(seen):
        raise node.fail("repeats no id")
