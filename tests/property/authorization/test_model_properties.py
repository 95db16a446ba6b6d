"""Validity, reminders and states over all values (C05, C28)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creditmesh.authorization.flow import Flow, flow_id_of
from creditmesh.authorization.model import REMIND_DAYS, check_expiry, chosen_expiry, days_to_remind, next_due
from creditmesh.authorization.scopes import SCOPES
from creditmesh.kernel.clock import iso, parse_instant
from creditmesh.kernel.errors import InvalidInput

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
scopes = st.sampled_from(list(SCOPES.values()))
names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)


def outcome(act):
    """What an act gives, and the field it names where it refuses."""
    try:
        return act(), None
    except InvalidInput as refused:
        return None, refused.field


@given(scopes, st.integers(-5, 4000))
def test_a_validity_lies_within_its_rights_longest_or_is_refused(scope, days):
    end, field = outcome(lambda: chosen_expiry(scope, NOW, valid_days=days, until=None))
    if 1 <= days <= scope.longest_days:
        assert end == iso(NOW + timedelta(days=days))
    else:
        assert field == "valid_days"


@given(scopes, st.integers(-3, 3))
def test_a_codes_end_is_at_most_the_rights_longest_ahead(scope, seconds):
    end = iso(NOW + timedelta(days=scope.longest_days, seconds=seconds))
    assert outcome(lambda: check_expiry(end, scope, NOW)) == ((end, None) if seconds <= 0 else (None, "expires_at"))


@given(scopes, st.text(max_size=30) | st.datetimes().map(lambda at: at.isoformat() + "Z"))
def test_any_text_for_an_end_is_an_instant_in_range_or_refused(scope, text):
    end, field = outcome(lambda: chosen_expiry(scope, NOW, valid_days=None, until=text))
    if field is None:
        assert NOW < parse_instant(end) <= NOW + timedelta(days=scope.longest_days)
    else:
        assert field == "until"


@given(st.timedeltas(timedelta(0), timedelta(days=400)))
def test_walking_from_due_to_due_meets_each_reminder_once_and_then_the_end(validity):
    end = NOW + timedelta(milliseconds=validity // timedelta(milliseconds=1))
    met, at = [], next_due(iso(end), NOW)
    while at is not None and parse_instant(at) < end:
        met.append(days_to_remind(iso(end), parse_instant(at)))
        at = next_due(iso(end), parse_instant(at))
    assert met == [days for days in REMIND_DAYS if end - timedelta(days=days) > NOW]
    assert at == (iso(end) if end > NOW else None)


def flow(application: str, tenant: str, verifier: str, expires_at: int) -> Flow:
    return Flow(
        flow_id="f", application_id=application, taxpayer_index="i", tenant=tenant, scope="tax", institution_id="b",
        verifier=verifier, expires_at=expires_at,
    )  # fmt: skip


@given(*[st.tuples(st.from_regex("app_[0-9a-f]{4}", fullmatch=True), names, names, st.integers(0, 10**11))] * 2)
def test_two_redirects_share_a_state_only_if_they_are_the_same(one, other):
    same = flow(*one).state(b"key") == flow(*other).state(b"key")
    assert same == (one == other)
    assert flow(*one).state(b"key") != flow(*one).state(b"another key")


@given(st.text(max_size=60), st.integers(0, 10**11))
def test_no_text_breaks_the_reading_of_a_state(text, now):
    found, field = outcome(lambda: flow_id_of(text, now))
    assert field == "state" or found in text
    with pytest.raises(InvalidInput):
        flow_id_of(f"a.tax.{text}", 10**12)
