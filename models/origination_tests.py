"""Test cases kept with the origination model: they are tried before a change of its rules is released."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_GOOD = json.loads(Path(__file__).with_name("sample-firm.json").read_text(encoding="utf-8"))
_DAY = "2026-01-15"


def case(name: str, changes: dict[str, Any], **expect: Any) -> dict[str, Any]:
    """The sample firm with ``changes``, and what the result must say."""
    return {"name": name, "on": _DAY, "features": {**_GOOD, **changes}, "expect": expect}


TESTS = [
    case("a sound firm is approved", {}, decision="approve", stage="approved", reasons=[]),
    case("a blacklisted firm is stopped", {"blacklist_hits": 1}, stage="blacklist", fired_rules=["blacklisted"]),
    case("a greylisted firm is referred", {"greylist_hits": 1}, decision="refer", reasons=["GREYLISTED"]),
    case("a whitelisted firm is not referred", {"greylist_hits": 1, "whitelist_hits": 1}, decision="approve"),
    case("a name like a blacklisted one is referred", {"blacklist_name_score_bps": 9_700}, decision="refer"),
    case("abnormal tax standing is declined", {"taxpayer_status": "abnormal"}, stage="admission"),
    case("nine months of statements are too few", {"statement_months": 9}, reasons=["THIN_FILE"]),
    case("an overdue loan is referred", {"overdue_amount_minor": 500_000}, reasons=["CREDIT_OVERDUE"]),
    case("missing standing is declined as incomplete", {"taxpayer_status": None}, reasons=["KEY_DATA_INCOMPLETE"]),
    case(
        "a court register that could not be read is looked at by a person",
        {"dishonest_debtor_listed": None, "unread": "dishonest_debtor_listed:judicial"},
        stage="referred",
        unread_rules=["dishonest_debtor"],
        reasons=["DATA_NOT_AVAILABLE"],
    ),
    case("a court register that was not asked bothers nobody", {"dishonest_debtor_listed": None}, stage="approved"),
    case(
        "standing that could not be read is looked at by a person",
        {"taxpayer_status": None, "unread": "taxpayer_status:tax"},
        stage="referred",
        reasons=["DATA_NOT_AVAILABLE"],
    ),
    case(
        "revenue that could not be read is not called too low",
        {"revenue_12m_minor": None, "unread": "revenue_12m_minor:tax"},
        stage="referred",
        reasons=["DATA_NOT_AVAILABLE"],
    ),
    case("suspected fraud is referred", {"fraud_score": 750}, reasons=["FRAUD_SUSPECTED"]),
    case("no whitelist vouches against fraud", {"fraud_score": 750, "whitelist_hits": 1}, reasons=["FRAUD_SUSPECTED"]),
    case(
        "no whitelist vouches for a name like a blacklisted one",
        {"blacklist_name_score_bps": 9_700, "whitelist_hits": 1, "greylist_hits": 1},
        decision="refer",
        reasons=["BLACKLIST_NAME_ALIKE"],
    ),
    case(
        "a firm whose report leaves out its employees is not declined for it",
        {"employee_count": None},
        stage="approved",
    ),
]
