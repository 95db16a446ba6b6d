"""Loading the model: its text, its hash, its signature; the shipped one, and the test cases kept with it (S10, M06)."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from creditmesh.features.table import FEATURES
from creditmesh.risk.artefact import Artefact, ArtefactInvalid, load, seal
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.model import ASPECTS, SOURCES
from tests.unit.risk.small_model import rule, small

ROOT = Path(__file__).parents[3]
KEY = ec.generate_private_key(ec.SECP256R1())
ALGORITHM = ec.ECDSA(hashes.SHA256())


def signed(document: Mapping[str, Any], key: ec.EllipticCurvePrivateKey = KEY) -> dict[str, Any]:
    """The document with a signature over its content hash, as KMS makes it."""
    sealed = seal(document)
    value = base64.b64encode(key.sign(sealed["content_hash"].encode(), ALGORITHM)).decode()
    return {**sealed, "signature": {"key_id": "key-1", "algorithm": "ECDSA_SHA_256", "value": value}}


def verified(content_hash: str, signature: Mapping[str, str]) -> bool:
    """Whether the signature is our key's."""
    try:
        KEY.public_key().verify(base64.b64decode(signature["value"]), content_hash.encode(), ALGORITHM)
    except InvalidSignature:
        return False
    return signature["key_id"] == "key-1"


def refused(document: Mapping[str, Any], **verify: Any) -> str:
    """The path at which loading the document fails."""
    with pytest.raises(ArtefactInvalid) as caught:
        load(json.dumps(document), **verify)
    return caught.value.path


def test_shipped_model_is_what_its_builder_writes() -> None:
    built = subprocess.run(
        [sys.executable, "-m", "models.build_origination"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    assert built.decode("utf-8") == (ROOT / "models/origination-2.1.0.json").read_text(encoding="utf-8")


def test_the_cases_kept_with_the_shipped_model_hold(origination: Artefact) -> None:
    assert len(origination.tests) >= 9
    for case in origination.tests:
        found = evaluate(origination, case.features, case.on).to_dict()
        assert {name: found[name] for name in case.expected} == case.expected, case.name


def test_the_cases_kept_with_the_shipped_model_reach_every_outcome_of_its_rules(origination: Artefact) -> None:
    ids = {name for case in origination.tests for name in evaluate(origination, case.features, case.on).fired_rules}
    reached = {rule.outcome for rule in origination.rules if rule.id in ids}
    assert reached == {rule.outcome for rule in origination.rules} == {"stop", "refer", "pass"}


def test_shipped_model_has_the_promised_size(origination: Artefact) -> None:
    assert all(len(segment.characteristics) >= 12 for segment in origination.scorecard.segments)
    assert sum(rule.outcome == "stop" for rule in origination.rules) >= 10
    assert origination.feature_schema == "key-data-3"
    assert {rule.aspect for rule in origination.rules} == set(ASPECTS)
    assert {feature.source for feature in origination.features.values()} <= set(SOURCES)
    assert origination.risk_index is not None
    assert len(origination.risk_index.dimensions) == 4


def test_features_are_of_the_key_data_with_their_types(origination: Artefact) -> None:
    types = {feature.name: feature.type for feature in FEATURES}
    assert {name: feature.type for name, feature in origination.features.items()}.items() <= types.items()


def test_shipped_grades_have_the_default_rates_of_their_scores(origination: Artefact) -> None:
    """A grade's average lies between the calibrated rates of its best score and its least."""

    def rate_bps(score: int) -> float:
        return next(ppm for least, ppm in origination.calibration if score >= least) / 100

    lent = [grade for grade in origination.grades if grade.min_score >= origination.scorecard.cutoff]
    for better, grade in pairwise(lent):
        assert rate_bps(better.min_score - 1) <= grade.pd_bps <= rate_bps(grade.min_score), grade.grade
    rates = [price.uncapped_bps for price in origination.prices]
    assert rates == sorted(rates), "more risk costs more"
    assert not any(price.refused for price in origination.prices[: len(lent)]), "what is lent to can be priced"


def test_refuses_a_document_altered_since_it_was_sealed(document: dict[str, Any]) -> None:
    document["scorecard"]["cutoff"] -= 1
    assert refused(document) == "$.content_hash"
    assert refused(document, verify=verified) == "$.content_hash"


def test_hash_does_not_depend_on_layout(document: dict[str, Any], origination: Artefact) -> None:
    shuffled = dict(reversed(document.items()))
    assert load(json.dumps(shuffled, indent=7)).content_hash == origination.content_hash


def test_hash_covers_everything_but_itself_and_the_signature() -> None:
    sealed = seal(small())
    assert seal(sealed) == seal(signed(sealed)) == sealed
    assert "signature" not in seal(signed(sealed))
    assert seal({**small(), "currency": "EUR"})["content_hash"] != sealed["content_hash"]


def test_a_signature_is_asked_for_where_somebody_checks_it() -> None:
    assert load(json.dumps(signed(small())), verify=verified).model_id == "small"
    assert refused(seal(small()), verify=verified) == "$.signature"
    assert load(json.dumps(seal(small()))).model_id == "small", "a developer's file"


@pytest.mark.parametrize("other", ["value", "key", "document"])
def test_refuses_a_signature_of_another_key_or_document(other: str) -> None:
    document = signed(small(), ec.generate_private_key(ec.SECP256R1()) if other == "key" else KEY)
    if other == "value":
        document["signature"]["value"] = base64.b64encode(b"made up").decode()
    if other == "document":
        document = {**signed(small(currency="EUR")), "signature": document["signature"]}
    assert refused(document, verify=verified) == "$.signature"
    assert load(json.dumps(document)).model_id == "small", "unchecked where nobody can"


@pytest.mark.parametrize(
    "signature",
    [
        "abc",
        {"key_id": "k", "algorithm": "a"},
        {"key_id": "k", "algorithm": "a", "value": "v", "more": "m"},
        {"key_id": "k", "algorithm": "a", "value": 1},
    ],
)
def test_refuses_a_signature_of_another_shape(signature: Any) -> None:
    assert refused({**seal(small()), "signature": signature}, verify=lambda *_: True) == "$.signature"


@pytest.mark.parametrize(
    "text",
    ["", "[1", '{"a": 1.5}', '{"a": 1e3}', '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, "1" * 5_000, "[]", "null"],
)
def test_refuses_text_that_is_no_exact_json(text: str) -> None:
    with pytest.raises(ArtefactInvalid) as caught:
        load(text)
    assert caught.value.path == "$"


@pytest.mark.parametrize("depth", range(100, 1_000, 50))
def test_refuses_nesting_of_any_depth(depth: int) -> None:
    document = small()
    document["rules"] = [rule("r", "stop", when={"and": "here"})]
    text = json.dumps({**document, "content_hash": "sha256:" + "0" * 64})
    with pytest.raises(ArtefactInvalid):
        load(text.replace('"here"', "[" * depth + "1" + "]" * depth))


def test_another_format_is_told_before_what_it_lacks(document: dict[str, Any]) -> None:
    older = {"format_version": 1, "model_id": "origination", "blacklist": []}
    assert refused(older) == "$.format_version"
    del document["format_version"]
    assert refused(document) == "$.format_version"
