"""Parses the platform's messages to a lender, field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from stdnum.cn import uscc

from institutions.catalogue import CURRENCY
from institutions.underwriting import Submission

EXCHANGES = {
    "/v1/applications": "loan.application.submitted",
    "/v1/contracts": "loan.contract.requested",
    "/v1/signatures": "loan.contract.signed",
    "/v1/cancellations": "loan.disbursement.cancel",
    "/v1/ended-applications": "loan.application.closed",
    "/v1/tests": "platform.test",
}
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,12})\.([0-9]{2})")
_CODE = re.compile("[0-9A-HJ-NPQRTUWXY]{18}")
_LONGEST_TEXT = 200


class MessageRefused(Exception):
    """A message cannot be accepted; ``status`` and ``error`` are the response's."""

    def __init__(self, status: int, error: str, field: str) -> None:
        super().__init__(f"{status} {error} {field}")
        self.status = status
        self.error = error
        self.field = field


def parse_message(path: str, body: bytes) -> tuple[str, dict[str, Any]]:
    """A message's type and data, with at least an application id.

    Raises:
        MessageRefused: malformed, or its type does not match the path.
    """
    try:
        document = json.loads(body)
    except ValueError:
        raise MessageRefused(400, "invalid_json", "body") from None
    if not isinstance(document, dict) or not isinstance(document.get("data"), dict):
        raise MessageRefused(400, "invalid_message", "data")
    if document.get("type") != EXCHANGES[path]:
        raise MessageRefused(400, "wrong_type", "type")
    if document["type"] != "platform.test":
        text(document["data"], "application_id")
    return EXCHANGES[path], document["data"]


def parse_submission(data: Mapping[str, Any]) -> Submission:
    """The submitted application.

    Raises:
        MessageRefused: a field is missing or malformed (422).
    """
    firm, assessment = _object(data, "firm"), _object(data, "assessment")
    taxpayer_id = text(firm, "taxpayer_id", "firm.")
    if not _CODE.fullmatch(taxpayer_id) or taxpayer_id[-1] != uscc.calc_check_digit(taxpayer_id):
        raise MessageRefused(422, "invalid_field", "firm.taxpayer_id")
    if data.get("currency") != CURRENCY:
        raise MessageRefused(422, "invalid_field", "currency")
    return Submission(
        application_id=text(data, "application_id"),
        product_id=text(data, "product_id"),
        amount_fen=_amount(data, "amount"),
        currency=CURRENCY,
        term_months=_whole(data, "term_months"),
        annual_rate_bps=_whole(data, "annual_rate_bps"),
        firm_name=text(firm, "name", "firm."),
        taxpayer_id=taxpayer_id,
        score=_whole(assessment, "score", "assessment."),
        grade=text(assessment, "grade", "assessment."),
        limit_fen=_amount(assessment, "limit", "assessment."),
        answers=len(data.get("information", [])),
    )


def text(data: Mapping[str, Any], name: str, prefix: str = "") -> str:
    """A text that is neither empty nor too long; raises MessageRefused."""
    value = data.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise MessageRefused(422, "invalid_field", prefix + name)
    return value


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    if not isinstance(value, dict):
        raise MessageRefused(422, "invalid_field", name)
    return value


def _amount(data: Mapping[str, Any], name: str, prefix: str = "") -> int:
    match = _AMOUNT.fullmatch(text(data, name, prefix))
    if match is None:
        raise MessageRefused(422, "invalid_field", prefix + name)
    return int(match[1]) * 100 + int(match[2])


def _whole(data: Mapping[str, Any], name: str, prefix: str = "") -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**6:
        raise MessageRefused(422, "invalid_field", prefix + name)
    return value
