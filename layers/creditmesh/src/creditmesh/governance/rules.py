"""Rule changes: derived from the champion, checked by test cases, proposed as a new version."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import ConfigDict, Field, JsonValue

from creditmesh.governance.catalogue import key_data_feature
from creditmesh.governance.checks import run_tests
from creditmesh.governance.document.artefact import checked
from creditmesh.governance.model import CaseResult, ModelKind, ModelState, ModelVersion, Value, precedence
from creditmesh.governance.registry import ModelRegistry
from creditmesh.kernel.errors import Conflict, InvalidInput
from creditmesh.kernel.text import TEXT
from creditmesh.platform.fields import FieldError, InvalidFields
from creditmesh.risk.artefact import Artefact, ArtefactInvalid, seal

Document = dict[str, Any]


class BaseOutdated(Conflict):
    """The champion has changed since the change was prepared."""

    code = "model_outdated"


class RuleChange(Value):
    """Differences from the champion's rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    add: list[dict[str, JsonValue]] = Field(default=[], max_length=100, description="new rules, as in the artefact")
    replace: list[dict[str, JsonValue]] = Field(default=[], max_length=100, description="rules in place of their id's")
    remove: list[str] = Field(default=[], max_length=100, description="ids of rules")
    tests: list[dict[str, JsonValue]] = Field(
        default=[], max_length=200, description="test cases to keep with the rules, in place of those of their name"
    )
    remove_tests: list[str] = Field(default=[], max_length=200, description="names of test cases")
    reasons: dict[str, JsonValue] = Field(
        default={}, max_length=100, description="reasons that the rules name and the champion lacks"
    )
    features: dict[str, JsonValue] = Field(
        default={}, max_length=100, description="features of key data that the rules name and the champion lacks"
    )
    based_on: str | None = Field(default=None, description="hash of the champion that the change was made for")
    note: Annotated[str, Field(min_length=1, max_length=2_000, description="why"), TEXT]
    dry_run: bool = Field(default=False, description="check and test only; nothing is proposed")


class ChangeProposal(Value):
    """Result of a rule change."""

    model_id: str
    based_on: str
    content_hash: str
    version: str
    state: ModelState | None
    """State of the new version; null after a dry run."""
    added: list[str]
    replaced: list[str]
    removed: list[str]
    tests: list[CaseResult]


class RuleWorkbench:
    """Creates proposals of rule changes."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    def propose(self, model_id: str, change: RuleChange, *, maker: str) -> ChangeProposal:
        """Propose the champion with changed rules, if its test cases pass. Idempotent.

        Raises:
            BaseOutdated: the change names another champion than the current one.
            InvalidFields: a rule is broken, with its path; or a test case fails, with expected and actual values.
        """
        base = json.loads(self._registry.champion_text(model_id))
        based_on = base["content_hash"]
        if change.based_on not in (None, based_on):
            raise BaseOutdated("the champion is {champion}", champion=based_on)
        versions = self._registry.list(model_id)
        digest = _digest(change, based_on)
        if (earlier := _proposed_already(versions, digest)) and not change.dry_run:
            return _proposal(change, based_on, earlier)
        edit = _edited(base, change)
        edit.document["version"] = _next_minor([base["version"], *(version.version for version in versions)])
        sealed = seal(edit.document)
        artefact = _loaded(sealed, edit)
        tests = run_tests(artefact)
        _require_passed(tests, edit)
        if change.dry_run:
            return _proposal(change, based_on, artefact, tests)
        evidence = {"based_on": based_on, "change_digest": digest, "change": _names(change)}
        kept = self._registry.propose(sealed, maker=maker, kind=ModelKind.RULES, note=change.note, evidence=evidence)
        return _proposal(change, based_on, kept)


@dataclass
class _Edit:
    """A document being changed, with the origin of each rule and test case."""

    document: Document
    rules: dict[int, str] = field(default_factory=dict)
    tests: dict[int, str] = field(default_factory=dict)

    def place(self, path: str) -> str:
        """The path in the change for a path in the document; `champion.…` for existing parts."""
        path = path.removeprefix("$").removeprefix(".")
        for kind, origins in (("rules", self.rules), ("tests", self.tests)):
            if match := re.match(rf"{kind}\[(\d+)\]", path):
                return origins.get(int(match[1]), f"champion.{match[0]}") + path[match.end() :]
        return path.removeprefix("feature_schema.")

    def subject(self, path: str) -> str:
        """Prefix for messages: the rule or test case that contains the path; may be empty."""
        match = re.match(r"\$\.(rules|tests)\[(\d+)\]", path)
        if match is None:
            return ""
        one = self.document[match[1]][int(match[2])]
        name = one.get("id" if match[1] == "rules" else "name") if isinstance(one, dict) else None
        return f"{match[1][:-1]} {name}: " if isinstance(name, str) else ""


def _edited(base: Mapping[str, Any], change: RuleChange) -> _Edit:
    """The champion's document with the change applied."""
    document = json.loads(json.dumps(base))
    edit = _Edit(document)
    errors = [*_misnamed(base, change), *_unknown_features(change)]
    if errors:
        raise InvalidFields(errors)
    document["rules"] = _merged(base["rules"], "id", change.remove, {"replace": change.replace, "add": change.add},
                                edit.rules)  # fmt: skip
    document["tests"] = _merged(base["tests"], "name", change.remove_tests, {"tests": change.tests}, edit.tests)
    document["reasons"].update(change.reasons)
    document["feature_schema"]["features"].update(change.features)
    if all(document[part] == base[part] for part in ("rules", "tests", "reasons", "feature_schema")):
        raise InvalidInput("changes nothing", field="body", fault="nothing_changed")
    return edit


def _merged(
    present: Sequence[Document], key: str, gone: Sequence[str], given: Mapping[str, Sequence[Document]],
    origins: dict[int, str],
) -> list[Document]:  # fmt: skip
    """Existing items without the removed ones; given items replace those of the same name, or are appended."""
    kept = [one for one in present if one[key] not in gone]
    places = {one[key]: index for index, one in enumerate(kept)}
    for name, items in given.items():
        for number, one in enumerate(items):
            index = places.get(one.get(key), len(kept))
            kept[index : index + 1] = [one]
            origins[index] = f"{name}[{number}]"
    return kept


def _error(field: str, code: str, rule: str, **parameters: JsonValue) -> FieldError:
    return FieldError(field=field, rule=rule, code=code, parameters=parameters)


def _taken(field: str) -> FieldError:
    return _error(field, "taken", "is already in use")


def _unknown(field: str) -> FieldError:
    return _error(field, "not_the_champions", "must be one of the champion's")


def _misnamed(base: Mapping[str, Any], change: RuleChange) -> Iterator[FieldError]:
    """Ids that exist already, are missing, or are repeated."""
    rules, tests = {rule["id"] for rule in base["rules"]}, {test["name"] for test in base["tests"]}
    seen: set[str] = set()
    for field_name, ids, known, wanted in (
        ("add", [rule.get("id") for rule in change.add], rules, False),
        ("replace", [rule.get("id") for rule in change.replace], rules, True),
        ("remove", change.remove, rules, True),
        ("remove_tests", change.remove_tests, tests, True),
    ):
        for index, one in enumerate(ids):
            place = f"{field_name}[{index}]" + (".id" if field_name in ("add", "replace") else "")
            if not isinstance(one, str):
                yield _error(place, "no_such_rule", "must be the id of a rule")
            elif (one in known) != wanted:
                yield _unknown(place) if wanted else _taken(place)
            elif field_name != "remove_tests" and one in seen:
                yield _error(place, "repeated", "must be named only once in a change")
            elif field_name != "remove_tests":
                seen.add(one)
    for index, test in enumerate(change.tests):
        if not isinstance(test.get("name"), str):
            yield _error(f"tests[{index}].name", "no_such_test", "must be the name of a test case")
    for code in sorted(set(base["reasons"]) & set(change.reasons)):
        yield _taken(f"reasons.{code}")
    for name in sorted(set(base["feature_schema"]["features"]) & set(change.features)):
        yield _taken(f"features.{name}")


def _unknown_features(change: RuleChange) -> Iterator[FieldError]:
    """A rule over an unknown feature would be unknown for ever."""
    for name, given in change.features.items():
        feature = key_data_feature(name)
        if feature is None:
            yield _error(f"features.{name}", "no_such_feature", "must be a feature of key data")
        elif isinstance(given, dict) and given.get("type") != feature.type:
            yield _error(f"features.{name}.type", "other_type", f"must be {feature.type}", type=feature.type)


def _loaded(document: Document, edit: _Edit) -> Artefact:
    try:
        return checked(document)
    except ArtefactInvalid as error:
        raise InvalidInput(
            f"{edit.subject(error.path)}{error.rule}", field=edit.place(error.path), fault="model_invalid"
        ) from None


def _require_passed(tests: Sequence[CaseResult], edit: _Edit) -> None:
    """Require that every test case passes.

    Raises:
        InvalidFields: by test and field, expected and actual value.
    """
    errors = []
    for index, test in enumerate(tests):
        place = edit.place(f"$.tests[{index}]")
        for name, one in test.differences.items():
            if "rule" in one:  # a value that no engine would accept
                errors.append(
                    _error(
                        f"{place}.features.{name}", "test_invalid", f"test {test.name}: {one['rule']}", test=test.name
                    )
                )
                continue
            expected, got = (json.dumps(one[side], ensure_ascii=False) for side in ("expected", "got"))
            rule = f"test {test.name}: expected {expected}, got {got}"
            named = {"test": test.name, "expected": expected, "got": got}
            errors.append(_error(f"{place}.expect.{name}", "test_failed", rule, **named))
    if errors:
        raise InvalidFields(errors)


def _next_minor(versions: Sequence[str]) -> str:
    """The minor version after the highest of these."""
    major, minor = precedence(max(versions, key=precedence))[0][:2]
    return f"{major}.{minor + 1}.0"


def _names(change: RuleChange) -> dict[str, list[str]]:
    """The names in a change, without contents, which are in the document."""
    return {
        "added": [str(rule["id"]) for rule in change.add],
        "replaced": [str(rule["id"]) for rule in change.replace],
        "removed": list(change.remove),
        "tests": [str(test["name"]) for test in change.tests],
        "tests_removed": list(change.remove_tests),
        "reasons": sorted(change.reasons),
        "features": sorted(change.features),
    }


def _digest(change: RuleChange, based_on: str) -> str:
    content = change.model_dump(exclude={"dry_run", "note", "based_on"})
    text = json.dumps([based_on, content], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _proposed_already(versions: Sequence[ModelVersion], digest: str) -> ModelVersion | None:
    open_states = (ModelState.PROPOSED, ModelState.APPROVED)
    return next((v for v in versions if v.evidence.get("change_digest") == digest and v.state in open_states), None)


def _proposal(
    change: RuleChange, based_on: str, made: ModelVersion | Artefact, tests: Sequence[CaseResult] = ()
) -> ChangeProposal:
    """The proposal of a change.

    Args:
        made: the stored version with its test results; or for a dry run the artefact, with `tests`.
    """
    named = _names(change)
    return ChangeProposal(
        model_id=made.model_id,
        based_on=based_on,
        content_hash=made.content_hash,
        version=made.version,
        state=made.state if isinstance(made, ModelVersion) else None,
        added=named["added"],
        replaced=named["replaced"],
        removed=named["removed"],
        tests=made.tests if isinstance(made, ModelVersion) else list(tests),
    )
