"""Every way a collection may end has a name (G01-G10, G13)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from creditmesh.gateway.channels.document import Outcome
from creditmesh.platform.http import Answer, InstitutionUnavailable
from tests.unit.gateway.channels.engine import FIRM, ORIGIN, Engine, body, channel, headers, subject

GET = ("GET", f"{ORIGIN}/firms/")
EDUCATION = {
    "fields": {"taxpayer_id": {}, "person_name": {"pattern": "[a-z]{2,20}"}},
    "fill": [{"field": "person_name", "record": "profiles", "key": "taxpayer_id", "path": "people.legal"}],
    "transport": {
        "type": "rest", "path": "/firms/", "body": {"id": "{{taxpayer_id}}", "who": "{{person_name}}"},
    },
}  # fmt: skip


def answered(engine: Engine, document: Any = None, status: int = 200) -> None:
    engine.http.answer(*GET, status, {"name": "made up"} if document is None else document)
    engine.http.answer("POST", f"{ORIGIN}/firms/", status, {"name": "made up"} if document is None else document)


def test_complete_keeps_the_raw_answer_and_third_information(engine: Engine) -> None:
    answered(engine, {"name": "made up", "more": "not structured"})
    result = engine.collect(channel())
    assert (result.outcome, result.reason, result.cached, result.channel_version) == ("complete", None, False, 1)
    assert engine.third(result) == {"name": "made up"}
    assert engine.objects.get(result.raw_keys[0]) == body({"name": "made up", "more": "not structured"})
    assert result.raw_keys[0].startswith("raw/app-1/some-source-v1-")
    (call,) = engine.http.calls
    assert call.url == f"{ORIGIN}/firms/{FIRM}"
    assert headers(call)["x-api-key"] == "made-up-api-key-1"


def test_filled_from_a_stored_record(engine: Engine) -> None:
    answered(engine)
    engine.records["profiles", FIRM] = {"people": {"legal": "somebody"}}
    result = engine.collect(channel(**EDUCATION))
    assert result.outcome is Outcome.FILLED
    assert engine.http.calls[0].json() == {"id": FIRM, "who": "somebody"}
    assert engine.collect(channel(**EDUCATION)).outcome is Outcome.FILLED, "from the cache too"


def test_what_is_given_is_not_filled(engine: Engine) -> None:
    answered(engine)
    engine.records["profiles", FIRM] = {"people": {"legal": "somebody"}}
    assert engine.collect(channel(**EDUCATION), person_name="given").outcome is Outcome.COMPLETE
    assert engine.http.calls[0].json()["who"] == "given"


@pytest.mark.parametrize("record", [None, {}, {"people": {"legal": ""}}, {"people": {"legal": ["a", "b"]}}, "text"])
def test_missing_fields_are_named_and_nobody_is_called(engine: Engine, record: Any) -> None:
    engine.records["profiles", FIRM] = record
    result = engine.collect(channel(**EDUCATION))
    assert (result.outcome, result.reason, result.missing) == ("incomplete", "request", ["person_name"])
    assert (engine.http.calls, engine.stored_calls()) == ([], [])


@pytest.mark.parametrize("name", ["A", "two words", "x\n", "{{taxpayer_id}}", 7, True])
def test_a_field_that_breaks_its_pattern_is_missing(engine: Engine, name: Any) -> None:
    assert engine.collect(channel(**EDUCATION), person_name=name).missing == ["person_name"]
    assert engine.http.calls == []


def test_an_optional_field_may_be_absent_but_not_malformed(engine: Engine) -> None:
    answered(engine)
    fields = {"taxpayer_id": {}, "person_name": {"pattern": "[a-z]+", "optional": True}}
    one = channel(**{**EDUCATION, "fields": fields, "fill": []})
    assert engine.collect(one, person_name="A").outcome is Outcome.INCOMPLETE
    assert engine.collect(one).outcome is Outcome.COMPLETE
    assert engine.http.calls[0].json() == {"id": FIRM, "who": None}


def test_an_incomplete_answer_names_what_is_missing(engine: Engine) -> None:
    answered(engine, {"title": "made up"})
    result = engine.collect(channel())
    assert (result.outcome, result.reason, result.missing) == ("incomplete", "answer", ["name"])
    assert len(result.raw_keys) == 1
    assert engine.third(result) == {"name": None}


@pytest.mark.parametrize("empty", ["", None, [], {}])
def test_what_is_empty_is_missing(engine: Engine, empty: Any) -> None:
    answered(engine, {"name": empty})
    assert engine.collect(channel()).missing == ["name"]


@pytest.mark.parametrize("there", [0, False, "0", [0]])
def test_nought_and_false_are_not_missing(engine: Engine, there: Any) -> None:
    answered(engine, {"name": there})
    assert engine.collect(channel()).outcome is Outcome.COMPLETE


def test_the_fallback_rule_reads_an_older_form(engine: Engine) -> None:
    structure = {"rule": "{name: name}", "complete": ["name"], "fallback": "{name: old.title}"}
    answered(engine, {"old": {"title": "made up"}})
    result = engine.collect(channel(structure=structure))
    assert (result.outcome, result.reason) == ("complete", "by_fallback_rule")
    assert engine.third(result) == {"name": "made up"}


def test_a_fallback_rule_that_gives_no_more_changes_nothing(engine: Engine) -> None:
    structure = {"rule": "{name: name, more: more}", "complete": ["name"], "fallback": "{name: old.title}"}
    answered(engine, {"more": 1})
    result = engine.collect(channel(structure=structure))
    assert (result.outcome, engine.third(result)) == ("incomplete", {"name": None, "more": 1})


@pytest.mark.parametrize("rule", ["name", "[name]", "nothing.there", "sum(name)", "max_by(@, &name)"])
def test_a_rule_that_makes_no_object_makes_nothing(engine: Engine, rule: str) -> None:
    answered(engine)
    result = engine.collect(channel(structure={"rule": rule}))
    assert (result.outcome, result.missing, result.third_key) == ("incomplete", ["@"], None)


REFUSING = {
    "consent_scope": "some_scope",
    "response": {
        "refusals": [
            {"status": 403, "path": "error", "reasons": ["code_revoked"]},
            {"status": 404, "path": "error", "reasons": ["no_such_firm"], "outcome": "no_data"},
        ]
    },
}


def test_a_refused_consent_is_remembered(engine: Engine) -> None:
    consent = engine.consents.grant(FIRM, "some_scope")
    answered(engine, {"error": "code_revoked"}, 403)
    result = engine.collect(channel(**REFUSING))
    assert (result.outcome, result.reason) == ("refused", "code_revoked")
    assert engine.consents.refused == {consent.authorization_id: "code_revoked"}
    again = engine.collect(channel(**REFUSING))
    assert (again.outcome, again.reason) == ("no_consent", "code_revoked")
    assert len(engine.http.calls) == 1


def test_no_data_is_no_fault_of_the_source(engine: Engine) -> None:
    engine.consents.grant(FIRM, "some_scope")
    answered(engine, {"error": "no_such_firm"}, 404)
    result = engine.collect(channel(**REFUSING))
    assert (result.outcome, result.reason, engine.consents.refused) == ("no_data", "no_such_firm", {})
    assert engine.health_of(channel(**REFUSING)).success_bps == 10_000


@pytest.mark.parametrize(
    ("status", "document", "reason"),
    [
        (403, {"error": "something else"}, "answered 403"),
        (404, {"error": {"code": "no_such_firm"}}, "answered 404"),
        (404, "text", "answered 404"),
        (400, {}, "answered 400"),
        (201, {"name": "made up"}, "answered 201"),
        (302, {"name": "made up"}, "answered 302"),
    ],
)
def test_any_other_no_means_unavailable_and_its_answer_is_kept(
    engine: Engine, status: int, document: Any, reason: str
) -> None:
    engine.consents.grant(FIRM, "some_scope")
    answered(engine, document, status)
    result = engine.collect(channel(**REFUSING))
    assert (result.outcome, result.reason, len(result.raw_keys)) == ("unavailable", reason, 1)
    assert engine.consents.refused == {}


def test_a_sources_own_words_are_no_reason(engine: Engine) -> None:
    """They may name firms and persons, and reasons are written into reports and logs."""
    talkative = {"response": {"refusals": [{"status": 404, "path": "message", "outcome": "no_data"}]}}
    answered(engine, {"message": f"nothing known of {FIRM} (Zhang San)"}, 404)
    assert engine.collect(channel(**talkative)).reason == "answered 404"
    answered(engine, {"message": "E404.7"}, 404)
    assert engine.collect(channel(**talkative), "91990000600000002A").reason == "E404.7"


def test_without_consent_nobody_is_called(engine: Engine) -> None:
    result = engine.collect(channel(consent_scope="some_scope"))
    assert (result.outcome, result.reason) == ("no_consent", "none_stored")
    engine.consents.grant(FIRM, "some_scope", days=-1)
    assert engine.collect(channel(consent_scope="some_scope")).reason == "code_expired"
    assert (engine.http.calls, engine.stored_calls()) == ([], [])


def test_an_answer_serves_only_what_was_consented_to_also_from_the_cache(engine: Engine) -> None:
    source = channel(consent_scope="some_scope")
    engine.consents.grant(FIRM, "some_scope")
    answered(engine)
    assert engine.collect(source).outcome is Outcome.COMPLETE
    other = replace(subject(), purpose="loan_monitoring", by="app-1.scan-1")
    result = engine.caller.collect(source, 1, other, engine.caller.rights(other))
    assert (result.outcome, result.reason) == (Outcome.NO_CONSENT, "purpose_not_consented")


def test_a_consent_serves_the_account_that_brought_it(engine: Engine) -> None:
    engine.consents.grant(FIRM, "some_scope")
    other = replace(subject(), tenant="firm-2")
    result = engine.caller.collect(channel(consent_scope="some_scope"), 1, other, engine.caller.rights(other))
    assert result.outcome is Outcome.NO_CONSENT
    assert engine.http.calls == []


def test_each_use_of_a_consent_is_noted(engine: Engine) -> None:
    consent = engine.consents.grant(FIRM, "some_scope")
    answered(engine)
    engine.collect(channel(consent_scope="some_scope", cache_seconds=60))
    engine.collect(channel(consent_scope="some_scope", cache_seconds=60))
    assert engine.consents.uses == [(consent.authorization_id, "loan_assessment", "app-1", "some-source")]


def test_a_consent_goes_with_the_call(engine: Engine) -> None:
    consent = engine.consents.grant(FIRM, "some_scope", code="code-7")
    answered(engine)
    sent = {"id": "{{authorization_id}}", "code": "{{authorization_code}}", "on": "{{today}}", "at": "{{now}}"}
    engine.collect(channel(consent_scope="some_scope", transport={"type": "rest", "path": "/firms/", "body": sent}))
    assert engine.http.calls[0].json() == {
        "id": consent.authorization_id, "code": "code-7", "on": "2026-11-21", "at": "2026-11-21T08:00:00.000Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [{"enabled": False}, {"authentication": {"type": "api_key", "secret": "other"}}, {"base_url": "https://x.example"}],
)
def test_a_channel_that_cannot_be_asked_names_its_fallback(engine: Engine, changes: dict[str, Any]) -> None:
    result = engine.collect(channel(fallback_channel="another", **changes))
    assert (result.outcome, result.fallback_channel, engine.http.calls) == ("unavailable", "another", [])
    assert result.reason in (
        "disabled",
        "the institution has no secret other",
        "the base_url is not allowed: origin_not_allowed",
    )


def test_only_what_is_unavailable_falls_back(engine: Engine) -> None:
    answered(engine, {"title": "no name"})
    assert engine.collect(channel(fallback_channel="another")).fallback_channel is None
    engine.http.fail(*GET, InstitutionUnavailable("no_answer", error="ReadTimeoutError", sent=False))
    assert engine.collect(channel(fallback_channel="another"), "91990000600000002A").fallback_channel == "another"


def test_a_name_that_the_sources_charset_lacks_is_named_and_not_asked_for(engine: Engine) -> None:
    """With another letter in its place, the source would answer for somebody else."""
    form = {"type": "form", "path": "/firms/", "body": {"who": "{{person_name}}"}, "charset": "shift_jis"}
    fields = {"taxpayer_id": {}, "person_name": {}}
    result = engine.collect(channel(transport=form, fields=fields), person_name="张𠮷")
    assert (result.outcome, result.missing, engine.http.calls) == ("incomplete", ["person_name"], [])
    surrogate = engine.collect(channel(**{**EDUCATION, "fields": fields}), person_name="\ud800")
    assert (surrogate.outcome, surrogate.missing) == ("incomplete", ["person_name"])


def test_a_withdrawal_in_the_middle_of_a_call_keeps_nothing(engine: Engine) -> None:
    one = channel(consent_scope="some_scope", cost={"amount": "2.00"})
    engine.consents.grant(FIRM, "some_scope")

    def withdraw(_: Any) -> Answer:
        assert engine.withdraw(one) == 1
        return Answer(200, body({"name": "made up"}))

    engine.http.routes[GET] = withdraw
    result = engine.collect(one)
    assert (result.outcome, result.reason, result.raw_keys, result.third_key) == ("no_consent", "withdrawn", [], None)
    assert (engine.stored_calls(), engine.stack.documents()) == ([], {})
    assert engine.health_of(one).cost == "2.00", "the source was asked all the same"


def test_a_consent_that_ends_in_the_middle_of_a_call_leaves_no_record_of_it(engine: Engine) -> None:
    """Nobody erases what lies under it: it has run out and was not withdrawn."""
    one = channel(consent_scope="some_scope")
    engine.consents.grant(FIRM, "some_scope", days=1)

    def slowly(_: Any) -> Answer:
        engine.clock.advance(86_400)
        return Answer(200, body({"name": "made up"}))

    engine.http.routes[GET] = slowly
    assert engine.collect(one).outcome is Outcome.NO_CONSENT
    assert (engine.stored_calls(), engine.stack.documents()) == ([], {})


def test_what_names_no_firm_is_still_asked_for_each_firm(engine: Engine) -> None:
    one = channel(transport={"type": "rest", "method": "GET", "path": "/firms"}, fields={}, cache_seconds=600)
    engine.http.answer("GET", f"{ORIGIN}/firms", 200, {"name": "made up"})
    results = [engine.collect(one, firm) for firm in (FIRM, "another-firm")]
    assert [result.cached for result in results] == [False, False]
    assert len({result.call_key for result in results}) == 2


def test_a_withdrawal_while_the_answer_is_stored_keeps_nothing_either(engine: Engine) -> None:
    one = channel(consent_scope="some_scope")
    engine.consents.grant(FIRM, "some_scope")
    answered(engine)
    keep = engine.answers.keep

    def keep_and_withdraw(*arguments: Any) -> Any:
        kept = keep(*arguments)
        engine.withdraw(one)
        return kept

    engine.answers.keep = keep_and_withdraw  # type: ignore[method-assign]
    result = engine.collect(one)
    assert (result.outcome, result.reason) == ("no_consent", "withdrawn")
    assert (engine.stored_calls(), engine.stack.documents()) == ([], {})


def test_a_consent_renewed_in_the_middle_of_a_call_is_another_consent(engine: Engine) -> None:
    one = channel(consent_scope="some_scope")
    engine.consents.grant(FIRM, "some_scope")

    def renew(_: Any) -> Answer:
        engine.withdraw(one)
        engine.consents.grant(FIRM, "some_scope")
        return Answer(200, body({"name": "made up"}))

    engine.http.routes[GET] = renew
    assert engine.collect(one).outcome is Outcome.NO_CONSENT
    answered(engine)
    assert engine.collect(one).outcome is Outcome.COMPLETE
