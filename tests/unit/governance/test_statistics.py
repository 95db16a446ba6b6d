"""Hits of the rules (M06)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from creditmesh.governance.statistics import RuleHits, RuleStatistics
from creditmesh.kernel.errors import InvalidInput
from tests.support import wired
from tests.support.decisions import decide
from tests.support.world import NOW, World

TODAY = NOW.date()
YESTERDAY = TODAY - timedelta(days=1)


def counted(since: date = YESTERDAY, until: date = TODAY + timedelta(days=1), days: int = 99) -> RuleStatistics:
    """Statistics, with time for so many pieces of work."""
    left = iter([True] * days)
    return wired.rule_statistics().of_rules("origination", since, until, lambda: next(left, False))


def test_tried_fired_and_decided_are_told_apart(world: World) -> None:
    decide("a-1", YESTERDAY)
    decide("a-2", YESTERDAY, overdue_amount_minor=500_000)
    decide("a-3", YESTERDAY, overdue_amount_minor=500_000, whitelist_hits=1)
    decide("a-4", YESTERDAY, overdue_amount_minor=500_000, tax_credit_rating="D")
    decide("a-5", YESTERDAY, blacklist_hits=1)
    found = counted()
    assert found.decisions == 5
    assert found.rules["credit_overdue"] == RuleHits(tried=4, fired=3, decided=1)
    assert found.rules["whitelisted"] == RuleHits(tried=5, fired=1, decided=1)
    assert found.rules["tax_rating_d"] == RuleHits(tried=4, fired=1, decided=1)
    assert found.rules["blacklisted"] == RuleHits(tried=5, fired=1, decided=1)
    (day,) = found.days
    assert (day.day, day.decisions) == (YESTERDAY.isoformat(), {"approve": 2, "decline": 2, "refer": 1})
    assert day.model_hash == wired.champions()["origination"]().content_hash


def test_a_decision_written_twice_counts_once(world: World) -> None:
    world.to_assessed()
    wired.assessment().decide(world.application_id)
    assert counted().decisions == 1
    assert set(counted().rules) == {rule.id for rule in wired.champions()["origination"]().rules}


def test_days_are_counted_from_the_first_until_not_including_the_last(world: World) -> None:
    decide("a-1", YESTERDAY)
    decide("a-2", TODAY)
    assert counted(YESTERDAY, TODAY).decisions == 1
    assert counted(TODAY, TODAY + timedelta(days=1)).decisions == 1
    assert counted().decisions == 2
    with pytest.raises(InvalidInput, match="after from"):
        counted(TODAY, TODAY)
    with pytest.raises(InvalidInput, match="366"):
        counted(TODAY - timedelta(days=400), TODAY)


def test_a_day_that_is_over_is_counted_once_and_kept(world: World) -> None:
    decide("a-1", YESTERDAY)
    decide("a-2", TODAY)
    first = counted()
    for name in ("a-3", "a-4"):  # what could not happen: it shows that the day is not counted again
        decide(name, YESTERDAY)
        decide(name, TODAY)
    assert [sum(day.decisions.values()) for day in counted().days] == [1, 3]
    assert first.days[0] == counted().days[0]


def test_a_day_just_over_may_still_grow(world: World) -> None:
    decide("a-1", TODAY)
    world.clock.advance(16 * 3600 + 30 * 60)
    assert counted(TODAY).decisions == 1
    decide("a-2", TODAY)
    assert counted(TODAY).decisions == 2


def test_what_the_time_does_not_suffice_for_is_pending(world: World) -> None:
    decide("a-1", YESTERDAY)
    found = counted(days=2)
    assert (found.decisions, found.pending) == (1, [TODAY.isoformat()])
    assert counted(days=0).pending == [YESTERDAY.isoformat(), TODAY.isoformat()]
