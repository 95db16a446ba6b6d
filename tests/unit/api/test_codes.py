"""Codes with parameters beside every sentence that the platform writes (issue 11, S10, S20)."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

import api
import creditmesh
from api.app import app
from api.consent_schemas import UseEntry
from api.openapi import document, operations_of
from api.report_schemas import Report, ReportSource
from aws import codes_page
from creditmesh.authorization.model import PROBLEMS
from creditmesh.authorization.records import ConsentNote, ConsentRecord, RecordKind, Use
from creditmesh.gateway.channels.calls import CallRecord
from creditmesh.gateway.channels.dry_run import StepDetail
from creditmesh.gateway.channels.reading import Unreadable
from creditmesh.gateway.channels.reasons import CallReason, NoSourceAnswer
from creditmesh.intake.model import ApplicationSummary, TimelineEntry
from creditmesh.intake.notes import Note
from creditmesh.intake.operators import OperatorTask
from creditmesh.kernel.reasons import Reason, Unusable
from creditmesh.platform.deliveries import DeliveryFault
from creditmesh.platform.fields import FieldError
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.institutions import SecretMissing
from creditmesh.platform.undelivered import OutboxMessage
from creditmesh.platform.web import Problem
from tests.support.filled import filled

PROSE: dict[str, dict[str, str]] = {
    "ApplicationView": {"outcome_note": "outcome_note_code outcome_note_parameters"},
    "ConsentEntry": {"note": "note_code note_parameters"},
    "FieldError": {"rule": "code parameters"},
    "GateView": {"note": "id parameters"},
    "KeptData": {"reason": "kind days"},
    "Nearest": {"missing": "unmet"},
    "OperatorTask": {"reason": "reasons", "note": "note_code"},
    "OutboxMessage": {"last_error": "last_error_code last_error_parameters"},
    "PointsLine": {"evidence": "characteristic bin", "reason": "characteristic bin"},
    "Problem": {"detail": "code parameters", "title": "code"},
    "ReportReason": {"text": "code parameters"},
    "ReportSource": {"reason": "code parameters"},
    "RuleEntry": {"reason": "reason_code", "condition": "id"},
    "FiredRule": {"text": "id reason_code", "condition": "id"},
    "Step": {"detail": "code parameters"},
    "TimelineEntry": {"note": "note_code note_parameters"},
    "Unmet": {"parameters": "code"},
}  # fmt: skip
"""Fields with sentences of the platform, and where the same stands for programs."""

WRITTEN = {
    "ApplicationView": "firm_name purpose", "Change": "note", "Contract": "document",
    "DecidedGrade": "note decision_note", "Eligibility": "text", "GradeProposal": "note",
    "Inquiry": "question answer", "LenderRefusal": "reason", "PaymentOrder": "reason",
    "VersionDecision": "note", "EntryView": "text",
    "FeatureEntry": "meaning", "FieldView": "label", "ListChange": "note", "Nearest": "name", "Offer": "name",
    "Product": "name", "Referral": "note", "ReplayAsked": "note", "ReplayStep": "note", "Report": "firm_name",
    "ScopeView": "title text", "VersionView": "note",
}  # fmt: skip
"""Fields with words of people, lenders, sources, or of documents that people keep."""

_NAMES = """
    catalogue error keys target
    available balance booked_on credit credits debit debits opening_balance pending_in pending_out reverses value_date
    about access_token act action added adverse_action after alarms amount amount_step apr_percent as_of aspect at
    authorization_problem based_on baseline bin bin_text blind breaker by capacity cause challenger champion changes
    channel characteristic characteristics checker code cost currency day decided_month decision decisions differences
    dimensions document effective_rate_percent engine evidence feature feature_schema features fees field finding
    fired_rules grade grant hits_pending how id if_unknown if_unread imports industries_excluded instalment instance
    key label limit maker masked_value match matrix methods missing month monthly_capacity name net_paid next
    not_reproduced on outcome outcomes parameters pattern pending previous price_reasons problem purpose purposes
    reasons refused removed renewal_of replaced replaces risk_index role rule rules rules_of run scope segment
    segments sha256 since source sources stage stages state subject tenant threshold total_repaid training_started
    type unit unknown unread_rules until upload_url value version waiting what when window withdrawn
"""
NAMES = frozenset(_NAMES.split())
NAMED = re.compile(
    r".*_(amount|at|bps|by|code|for|from|hash|id|key|kind|methods?|months|name|parameters|sha256|type|until|version)"
)
"""Fields with ids, codes, instants, amounts and the like. Add a new field here, to `WRITTEN`, or to `PROSE`."""


def answers() -> dict[str, type[BaseModel]]:
    """Every model of every answer, by name."""
    found: dict[str, type[BaseModel]] = {}

    def walk(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if found.get(kind.__name__) is kind:
                return
            found[kind.__name__] = kind
            for field in kind.model_fields.values():
                walk(field.annotation)
        for inner in get_args(kind):
            walk(inner)

    walk(Problem)
    for operation in operations_of(app):
        walk(operation.types.get("return"))
    walk(Report)
    return found


def with_text(kind: Any) -> bool:
    """Whether a type holds texts; keys of an object are names."""
    inner = get_args(kind)[1:] if get_origin(kind) is dict else get_args(kind)
    return kind is str or any(with_text(one) for one in inner)


ANSWERS = answers()


def test_every_field_with_text_is_a_name_a_persons_words_or_has_a_code_beside_it() -> None:
    unknown = [
        f"{name}.{field}"
        for name, model in ANSWERS.items()
        for field, info in model.model_fields.items()
        if with_text(info.annotation)
        and field not in NAMES
        and not NAMED.fullmatch(field)
        and field not in WRITTEN.get(name, "").split()
        and field not in PROSE.get(name, {})
    ]
    assert unknown == []
    assert len(ANSWERS) > 100


@pytest.mark.parametrize("model", PROSE)
def test_what_is_said_to_stand_beside_a_sentence_does(model: str) -> None:
    fields = set(ANSWERS[model].model_fields)
    for sentence, beside in PROSE[model].items():
        assert {sentence, *beside.split()} <= fields, (model, sentence)
    if model in ("ApplicationView", "FieldError", "OutboxMessage", "Problem", "ReportSource", "Step", "TimelineEntry"):
        assert any(name.endswith("parameters") for beside in PROSE[model].values() for name in beside.split())


def test_no_field_is_excused_that_does_not_exist() -> None:
    assert set(PROSE) | set(WRITTEN) <= set(ANSWERS)
    assert {field for model in ANSWERS.values() for field in model.model_fields} >= NAMES
    for model, names in WRITTEN.items():
        assert set(names.split()) <= set(ANSWERS[model].model_fields), model


ENUMERATED: list[tuple[str, str, type[Reason]]] = [
    ("TimelineEntry", "note_code", Note),
    ("ApplicationView", "outcome_note_code", Note),
    ("OperatorTask", "note_code", Note),
    ("ConsentEntry", "note_code", ConsentNote),
    ("ReportSource", "code", CallReason),
    ("Step", "code", StepDetail),
    ("OutboxMessage", "last_error_code", DeliveryFault),
]


@pytest.mark.parametrize(("model", "field", "reasons"), ENUMERATED, ids=lambda one: str(getattr(one, "__name__", one)))
def test_the_openapi_enumerates_the_codes(model: str, field: str, reasons: type[Reason]) -> None:
    schema = document(app)["components"]["schemas"][model]["properties"][field]
    options = [schema, *schema.get("anyOf", [])]
    assert [one["enum"] for one in options if "enum" in one] == [sorted(reasons.SENTENCES)]


def test_the_openapi_enumerates_the_problems_of_rights() -> None:
    schemas = document(app)["components"]["schemas"]
    for model, field in (("UseEntry", "problem"), ("ConsentStanding", "problem"), ("BlindSpot", "cause")):
        assert str([*PROBLEMS]) in str(schemas[model]["properties"][field]), model


def test_the_page_is_written_from_the_tables() -> None:
    assert codes_page.PATH.read_text("utf-8") == codes_page.written(), "run `make api`"


MAKERS: dict[str, type[Reason] | type[Unusable]] = {
    one.__name__: one
    for one in (
        Note, CallReason, StepDetail, ConsentNote, DeliveryFault, InstitutionUnavailable, NoSourceAnswer, Unreadable,
        SecretMissing,
    )
}  # fmt: skip


def is_of(tree: ast.Module, path: Path, name: str) -> bool:
    """Whether a name in a file is the class in `MAKERS`; other contexts have classes of the same name."""
    home = MAKERS[name].__module__
    imported = any(
        isinstance(node, ast.ImportFrom) and node.module == home and name in [one.name for one in node.names]
        for node in ast.walk(tree)
    )
    return imported or home.endswith("." + ".".join(path.with_suffix("").parts[-2:]))


def uses() -> Iterator[tuple[Path, str, str, set[str] | None]]:
    """Where the code makes a reason: file, class, code, and its parameters' names; None where they are not seen."""
    for root in (Path(creditmesh.__file__).parent, Path(api.__file__).parent):
        for path in sorted(root.rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            for node in ast.walk(tree):
                if not isinstance(node, ast.Call):
                    continue
                made = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "of" else node.func
                by_name = {one.arg: one.value for one in node.keywords}
                code = node.args[0] if node.args else by_name.get("code")
                if not isinstance(made, ast.Name) or made.id not in MAKERS or not isinstance(code, ast.Constant):
                    continue
                if is_of(tree, path, made.id):
                    given = {name for name in by_name if name}
                    hidden = None in by_name or "parameters" in given
                    yield path, made.id, code.value, None if hidden else given


def test_every_reason_has_its_sentence_and_what_that_names() -> None:
    found = list(uses())
    assert len(found) > 70
    for path, made, code, given in found:
        sentence = MAKERS[made].SENTENCES[code]
        if given is not None:
            assert given - {"sent", "retry_after"} == named(sentence), (path.name, made, code)


def named(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_no_sentence_is_left_without_use() -> None:
    told = " ".join(path.read_text("utf-8") for path in Path(creditmesh.__file__).parent.rglob("*.py"))
    for maker in MAKERS.values():
        for code in maker.SENTENCES:
            bare = code.removeprefix("answer_").removeprefix("file_").removeprefix("token_")
            uses_ = told.count(f'"{code}"') + told.count(f'"{bare}"') * (bare != code)
            assert uses_ >= (1 if code == "seal_broken" else 2) or code in ("answer", "request"), code


def test_a_sentence_is_made_of_code_and_parameters() -> None:
    entry = TimelineEntry.model_validate(
        {"at": "2026-11-30T00:00:00.000Z", "status": "with_operator", "by": "platform", "note_code": "handed_over",
         "note_parameters": {"stage": "Referral", "reasons": ["GREYLISTED", "name_differs"]}}
    )  # fmt: skip
    assert entry.note == "Referral: GREYLISTED, name_differs"


OLD_ENTRY = {"at": "2026-01-01T00:00:00.000Z", "status": "offered", "by": "platform", "note": "3 offers"}


def test_timelines_and_outcomes_that_are_older_than_their_codes_are_read() -> None:
    entry = TimelineEntry.model_validate(OLD_ENTRY)
    assert (entry.note, entry.note_code, entry.note_parameters) == ("3 offers", None, None)
    old = {**dict(filled(ApplicationSummary)), "outcome_note": "withdrawn by the borrower"}
    old = {name: value for name, value in old.items() if not name.startswith("outcome_note_")}
    read = ApplicationSummary.model_validate(old)
    assert (read.outcome_note, read.outcome_note_code) == ("withdrawn by the borrower", None)


def test_tasks_and_messages_that_are_older_than_their_codes_are_read() -> None:
    task = OperatorTask.model_validate(
        {"task_id": "t", "application_id": "a", "stage": "Referral", "reason": "GREYLISTED, THIN_FILE",
         "created_at": "2026-01-01T00:00:00.000Z", "action": "retry", "note": "the answer came"}
    )  # fmt: skip
    assert (task.reasons, task.note, task.note_code) == (["GREYLISTED", "THIN_FILE"], "the answer came", None)
    stored = dict(filled(OutboxMessage)) | {"last_error": "answered 503", "replay": None, "replays": []}
    message = OutboxMessage.model_validate({**stored, "last_error_code": None, "last_error_parameters": {}})
    assert (message.last_error, message.last_error_code) == ("answered 503", None)
    again = {**stored, "last_fault": {"code": "refused", "parameters": {"status": 400}}}
    message = OutboxMessage.model_validate(again)
    assert (message.last_error, message.last_error_code) == ("refused with status 400", "refused")


@pytest.mark.parametrize(
    ("stored", "outcome", "problem"),
    [
        ("allowed", "allowed", None), ("denied: withdrawn", "denied", "withdrawn"),
        ("denied: consent_expired", "denied", "consent_expired"), ("denied: E404.7", "denied", "E404.7"),
        ("denied: a:b", "denied", "a:b"),
    ],
)  # fmt: skip
def test_uses_that_are_older_than_their_codes_are_read(stored: str, outcome: str, problem: str | None) -> None:
    fields = {name: value for name, value in dict(filled(Use)).items() if name not in ("outcome", "problem")}
    entry = UseEntry.of(Use.model_validate({**fields, "outcome": stored}))
    assert (entry.outcome, entry.problem) == (outcome, problem)


def test_calls_and_reports_that_are_older_than_their_codes_are_read() -> None:
    call = {"call_key": "k", "channel_id": "c", "channel_version": 1, "state": "answered", "number": 1, "until": 1}
    read = CallRecord.model_validate({**call, "reason": "answered 404"})
    assert read.cause is not None
    assert (read.cause.text, read.cause.told) == ("answered 404", {})
    source = {**dict(filled(ReportSource)), "reason": "answered 404"}
    del source["code"], source["parameters"]
    assert ReportSource.model_validate(source).code is None


@pytest.mark.parametrize(
    ("kind", "note", "code", "parameters"),
    [
        ("reminded", "7", "ends_in_days", {"days": 7}), ("granted", None, None, None),
        ("rejected", "code_revoked", "not_usable", {"problem": "code_revoked"}),
        ("blind_spot", "withdrawn", "not_usable", {"problem": "withdrawn"}),
        ("renewal_requested", "consent_expired", "not_usable", {"problem": "consent_expired"}),
    ],
)  # fmt: skip
def test_a_consents_note_has_a_code(
    kind: str, note: str | None, code: str | None, parameters: dict[str, Any] | None
) -> None:
    record = ConsentRecord.model_construct(kind=RecordKind(kind), note=note)
    said = record.said
    assert (said.code if said else None, said.parameters if said else None) == (code, parameters)


def test_an_error_of_a_field_names_what_is_allowed_as_a_list() -> None:
    for path in [*Path(creditmesh.__file__).parent.rglob("*.py"), *Path(api.__file__).parent.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "allowed" and isinstance(node.value, ast.AST):
                assert not isinstance(node.value, ast.Call) or ast.unparse(node.value.func) != "', '.join", path
    assert FieldError.model_fields["parameters"].annotation is not None
