"""Changed rule sets: checked, tested, proposed; what is in force stays as it is (M06)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from creditmesh.governance.checks import run_tests
from creditmesh.governance.model import ModelKind, ModelState, ModelVersion
from creditmesh.governance.rules import BaseOutdated, ChangeProposal, RuleChange, RuleWorkbench
from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform.fields import InvalidFields
from creditmesh.risk.artefact import load

TEXT = (Path(__file__).parents[3] / "models" / "origination-2.1.0.json").read_text(encoding="utf-8")
SHIPPED = json.loads(TEXT)
GOOD = {test["name"]: test for test in SHIPPED["tests"]}["a sound firm is approved"]
WORDS = {"zh-CN": "贷款笔数过多", "en": "Too many loans"}


class Registry:
    """Keeps what is proposed."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.versions = [version_of(TEXT, ModelState.CHAMPION)]

    def champion_text(self, model_id: str) -> str:
        return TEXT

    def list(self, model_id: str) -> list[ModelVersion]:
        return self.versions[::-1]

    def propose(
        self, document: Mapping[str, Any], *, maker: str, kind: ModelKind, note: str, evidence: Mapping[str, Any]
    ) -> ModelVersion:
        self.documents.append(dict(document))
        made = version_of(json.dumps(document), ModelState.PROPOSED)
        self.versions.append(made.model_copy(update={"maker": maker, "kind": kind, "note": note,
                                                     "evidence": dict(evidence)}))  # fmt: skip
        return self.versions[-1]


def version_of(text: str, state: ModelState) -> ModelVersion:
    artefact = load(text)
    return ModelVersion(
        model_id=artefact.model_id, content_hash=artefact.content_hash, version=artefact.version, state=state,
        kind=ModelKind.SHIPPED, maker="deployment", created_at="2026-11-21T08:00:00.000Z", tests=run_tests(artefact),
    )  # fmt: skip


@pytest.fixture
def registry() -> Registry:
    return Registry()


def rule(name: str = "many_loans", **changes: Any) -> dict[str, Any]:
    return {
        "id": name, "stage": "admission", "when": {">": [{"var": "overdue_months_24m"}, 9]}, "if_unknown": "pass",
        "outcome": "refer", "priority": 50, "aspect": "ability", "effective_from": None, "effective_until": None,
        "reason_code": "HIGH_DEBT", "label": WORDS, **changes,
    }  # fmt: skip


def case(name: str, expect: dict[str, Any], **features: Any) -> dict[str, Any]:
    return {**GOOD, "name": name, "features": {**GOOD["features"], **features}, "expect": expect}


def propose(registry: Registry, **parts: Any) -> ChangeProposal:
    return RuleWorkbench(registry).propose("origination", RuleChange(note="why", **parts), maker="maria")


def refused(registry: Registry, **parts: Any) -> list[tuple[str, str]]:
    """The fields found wrong, with the rules they break."""
    with pytest.raises(InvalidInput) as caught:
        propose(registry, **parts)
    assert registry.documents == []
    if isinstance(caught.value, InvalidFields):
        return [(error.field, error.rule) for error in caught.value.errors]
    return [(str(caught.value.field), caught.value.message)]


def test_a_rule_is_added_with_its_test_and_the_next_minor_version_is_proposed(registry: Registry) -> None:
    feature = {"type": "integer", "unit": "count", "source": "third_party", "label": WORDS}
    looked_at = case("ten loans are too many", {"decision": "refer"}, active_account_count=10)
    when = {">": [{"var": "active_account_count"}, 9]}
    made = propose(registry, add=[rule(when=when)], features={"active_account_count": feature}, tests=[looked_at])
    assert (made.version, made.state, made.added) == ("2.2.0", ModelState.PROPOSED, ["many_loans"])
    assert made.based_on == SHIPPED["content_hash"] != made.content_hash
    assert [test.passed for test in made.tests] == [True] * (len(SHIPPED["tests"]) + 1)
    (document,) = registry.documents
    assert document["rules"][:-1] == SHIPPED["rules"]
    assert document["tests"][-1] == looked_at
    assert {**document, "rules": 0, "tests": 0, "feature_schema": 0, "version": 0, "content_hash": 0} == {
        **SHIPPED, "rules": 0, "tests": 0, "feature_schema": 0, "version": 0, "content_hash": 0
    }  # fmt: skip
    kept = registry.versions[-1]
    assert (kept.maker, kept.kind, kept.note) == ("maria", ModelKind.RULES, "why")
    assert kept.evidence["based_on"] == SHIPPED["content_hash"]
    assert kept.evidence["change"] == {
        "added": ["many_loans"], "replaced": [], "removed": [], "tests": ["ten loans are too many"],
        "tests_removed": [], "reasons": [], "features": ["active_account_count"],
    }  # fmt: skip


def test_a_rule_is_replaced_where_it_stands_and_another_one_goes(registry: Registry) -> None:
    stricter = {**next(one for one in SHIPPED["rules"] if one["id"] == "company_too_young"), "if_unknown": "fire"}
    made = propose(registry, replace=[stricter], remove=["tax_rating_d"])
    assert (made.replaced, made.removed) == (["company_too_young"], ["tax_rating_d"])
    ids = [one["id"] for one in SHIPPED["rules"] if one["id"] != "tax_rating_d"]
    assert [one["id"] for one in registry.documents[0]["rules"]] == ids
    assert stricter in registry.documents[0]["rules"]


def test_a_dry_run_checks_and_tests_and_proposes_nothing(registry: Registry) -> None:
    made = propose(registry, remove=["tax_rating_d"], dry_run=True)
    assert (made.version, made.state, registry.documents) == ("2.2.0", None, [])
    assert all(test.passed for test in made.tests)


def test_the_same_change_again_is_the_same_proposal(registry: Registry) -> None:
    first = propose(registry, remove=["tax_rating_d"])
    assert propose(registry, remove=["tax_rating_d"]) == first
    assert propose(registry, remove=["thin_file"], remove_tests=["nine months of statements are too few"]).version == (
        "2.3.0"
    )
    assert len(registry.documents) == 2


def test_a_rejected_change_may_be_proposed_anew(registry: Registry) -> None:
    propose(registry, remove=["tax_rating_d"])
    registry.versions[-1] = registry.versions[-1].model_copy(update={"state": ModelState.REJECTED})
    assert propose(registry, remove=["tax_rating_d"]).version == "2.3.0"


def test_a_failing_test_is_named_with_what_it_expected_and_got(registry: Registry) -> None:
    found = refused(registry, remove=["thin_file"])
    assert ("champion.tests[6].expect.reasons",
            'test nine months of statements are too few: expected ["THIN_FILE"], got []') in found  # fmt: skip
    own = case("an old firm is declined", {"decision": "decline", "grade": "A"})
    assert refused(registry, remove=["tax_rating_d"], tests=[own])[0] == (
        "tests[0].expect.decision", 'test an old firm is declined: expected "decline", got "approve"'
    )  # fmt: skip


def test_a_test_case_takes_the_place_of_its_namesake(registry: Registry) -> None:
    own = {**GOOD, "expect": {"stage": "approved"}}
    propose(registry, remove=["tax_rating_d"], tests=[own])
    assert registry.documents[0]["tests"][0] == own
    assert len(registry.documents[0]["tests"]) == len(SHIPPED["tests"])


@pytest.mark.parametrize(
    ("parts", "field", "says"),
    [
        ({"add": [rule(when={">": [{"var": "overdue_months_24m"}, "many"]})]}, "add[0].when.>", "rule many_loans: "),
        ({"add": [rule(), rule("other", outcome="perhaps")]}, "add[1].outcome", "rule other: Input should be 'stop'"),
        ({"add": [rule(reason_code="NOBODY_KNOWS")]}, "add[0].reason_code", "rule many_loans: must be one of"),
        ({"add": [rule(when={">": [{"var": "active_account_count"}, 9]})]}, "add[0].when.>[0].var", "must be one of"),
        ({"add": [rule(effective_from="2026-02-30")]}, "add[0].effective_from", "must be a date"),
        ({"add": [rule(points=5)]}, "add[0]", "must have points if and only if its outcome is adjust"),
        ({"add": [rule(priority=1.5)]}, "", "numbers must be integers, not 1.5"),
        ({"add": [rule(surprise=1)]}, "add[0]", "must not have the key 'surprise'"),
        ({"add": [{}]}, "add[0].id", "must be the id of a rule"),
        ({"add": [rule("tax_rating_d")]}, "add[0].id", "is already in use"),
        ({"add": [rule(), rule()]}, "add[1].id", "must be named only once in a change"),
        ({"replace": [rule()]}, "replace[0].id", "must be one of the champion's"),
        ({"remove": ["nobody"]}, "remove[0]", "must be one of the champion's"),
        ({"remove": ["tax_rating_d"], "remove_tests": ["nobody"]}, "remove_tests[0]", "must be one of the champion's"),
        ({"remove": ["tax_rating_d"], "tests": [{"name": 3}]}, "tests[0].name", "must be the name of a test case"),
        ({"remove": ["tax_rating_d"], "tests": [case("x", {"nothing": 1})]}, "tests[0].expect.nothing", "test x: In"),
        ({"features": {"of_the_stars": {}}}, "features.of_the_stars", "must be a feature of key data"),
        ({"features": {"shop_status": {"type": "integer"}}}, "features.shop_status.type", "must be string"),
        ({"features": {"fraud_score": {}}}, "features.fraud_score", "is already in use"),
        ({"features": {"shop_status": {"type": "string"}}}, "features.shop_status", "must have the key"),
        ({"reasons": {"THIN_FILE": {}}}, "reasons.THIN_FILE", "is already in use"),
        ({"reasons": {"NEW_ONE": {"en": "New"}}}, "reasons.NEW_ONE", "must have the key"),
        ({}, "body", "changes nothing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_place_in_the_change(
    registry: Registry, parts: dict[str, Any], field: str, says: str
) -> None:
    found = refused(registry, **parts)
    assert (found[0][0], says in found[0][1]) == (field, True), found


def test_a_change_made_for_another_champion_is_refused(registry: Registry) -> None:
    with pytest.raises(BaseOutdated, match=SHIPPED["content_hash"]):
        propose(registry, remove=["tax_rating_d"], based_on="sha256:" + "0" * 64)
    assert propose(registry, remove=["tax_rating_d"], based_on=SHIPPED["content_hash"]).version == "2.2.0"


def test_the_documented_rule_can_be_proposed_as_it_stands(registry: Registry) -> None:
    docs = Path(__file__).parents[3] / "docs"
    pages = ("reference/rules.md", "how-to/change-a-rule.md")
    blocks = ((docs / page).read_text(encoding="utf-8").split("```json\n")[1] for page in pages)
    example, body = (json.loads(block.partition("```")[0]) for block in blocks)
    change = RuleChange.model_validate({**body, "add": [example], "dry_run": True})
    made = RuleWorkbench(registry).propose("origination", change, maker="maria")
    assert (made.added, made.removed) == (["many_loans"], ["tax_rating_d"])
    assert set(body) == set(RuleChange.model_fields)
