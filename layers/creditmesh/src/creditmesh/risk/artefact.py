"""From the artefact's JSON text to the frozen model, with every rule of the format checked.

The format is described in docs/reference/risk-model.md and, for tools, in models/artefact.schema.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from creditmesh.risk.document import SEALS, Node, canonical_hash, parse_json
from creditmesh.risk.errors import ArtefactInvalid
from creditmesh.risk.expression import FeatureType
from creditmesh.risk.model import FORMAT_VERSION, SOURCES, UNITS, Artefact, Feature, Reason
from creditmesh.risk.policy import (
    parse_grades,
    parse_limit,
    parse_price,
    parse_risk_index,
    parse_rules,
    parse_tests,
    parse_texts,
)
from creditmesh.risk.result import RiskResult
from creditmesh.risk.scorecard import parse_calibration, parse_scorecard

__all__ = ["Artefact", "ArtefactInvalid", "Verify", "load", "seal"]

_ID = r"[a-z][a-z0-9_]{0,63}"
_CODE = r"[A-Z][A-Z0-9_]{0,63}"
_SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?"
_PARTS = (
    "format_version", "model_id", "version", "content_hash", "currency", "feature_schema", "rules", "tests",
    "scorecard", "calibration", "grades", "price", "limit", "risk_index", "max_reasons",
    "missing_reason_code", "reasons",
)  # fmt: skip

#: Says whether a signature (``key_id``, ``algorithm``, ``value`` in base64) of the content hash is a trusted key's.
Verify = Callable[[str, Mapping[str, str]], bool]


def load(text: str, verify: Verify | None = None) -> Artefact:
    """Return the model that ``text`` describes.

    Args:
        text: the document.
        verify: checks its signature; without it, none is asked for, as for a file of a developer.

    Raises:
        ArtefactInvalid: with the path and the rule broken; a document altered since it was sealed among them.
    """
    root = Node(parse_json(text))
    if version := root.mapping().get("format_version"):  # told first: a document of another format has other parts
        version.integer(FORMAT_VERSION, FORMAT_VERSION)
    parts = root.fields(_PARTS, ["signature"])
    _check_seals(root, parts, verify)
    schema = parts["feature_schema"].fields(["id", "version", "features"])
    features = {name: _feature(name, node) for name, node in schema["features"].mapping().items()}
    types = {name: feature.type for name, feature in features.items()}
    reasons = {Node(code, node.path).text(_CODE): _reason(node) for code, node in parts["reasons"].mapping().items()}
    scorecard = parse_scorecard(parts["scorecard"], types, reasons)
    return Artefact(
        model_id=parts["model_id"].text(_ID),
        version=parts["version"].text(_SEMVER),
        content_hash=parts["content_hash"].text(),
        currency=parts["currency"].text("[A-Z]{3}"),
        feature_schema=f"{schema['id'].text('[a-z][a-z0-9-]*')}-{schema['version'].integer(1, 10_000)}",
        features=MappingProxyType(features),
        rules=parse_rules(parts["rules"], types, reasons),
        scorecard=scorecard,
        calibration=parse_calibration(parts["calibration"]),
        grades=parse_grades(parts["grades"], scorecard.cutoff),
        price=parse_price(parts["price"], reasons),
        limit=parse_limit(parts["limit"], types, reasons),
        risk_index=parse_risk_index(parts["risk_index"], types, reasons),
        max_reasons=parts["max_reasons"].integer(1, 10),
        missing_reason_code=parts["missing_reason_code"].choice(reasons),
        reasons=MappingProxyType(reasons),
        tests=parse_tests(parts["tests"], types, RiskResult.__dataclass_fields__),
    )


def seal(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``document`` with its ``content_hash`` put in and without a signature, which another would need."""
    content = {key: value for key, value in document.items() if key not in SEALS}
    return {**content, "content_hash": canonical_hash(content)}


def _check_seals(root: Node, parts: Mapping[str, Node], verify: Verify | None) -> None:
    content_hash = canonical_hash(root.value)
    if parts["content_hash"].text() != content_hash:
        raise parts["content_hash"].fail("is the hash of the document's canonical JSON")
    if "signature" not in parts:
        if verify is not None:
            raise Node(None, "$.signature").fail("is there: an unsigned model decides nothing")
        return
    fields = parts["signature"].fields(["key_id", "algorithm", "value"])
    signature = {name: node.text() for name, node in fields.items()}
    if verify is not None and not verify(content_hash, signature):
        raise parts["signature"].fail("is one of the content hash by a trusted key")


def _feature(name: str, node: Node) -> Feature:
    Node(name, node.path).text(_ID)
    parts = node.fields(["type", "unit", "source", "label"])
    types: dict[str, FeatureType] = {"integer": "integer", "string": "string", "boolean": "boolean"}
    return Feature(
        name=name,
        type=types[parts["type"].choice(types)],
        unit=parts["unit"].choice(UNITS),
        source=parts["source"].choice(SOURCES),
        label=parse_texts(parts["label"]),
    )


def _reason(node: Node) -> Reason:
    parts = node.fields(["zh-CN", "en", "adverse_action"])
    words = {language: item for language, item in node.value.items() if language != "adverse_action"}
    return Reason(parse_texts(Node(words, node.path)), parts["adverse_action"].text("[A-Z0-9][A-Z0-9_.-]{0,39}"))
