"""Why a collection from a channel ended as it did: codes with parameters, and the sentences made of them."""

from __future__ import annotations

from typing import Annotated

from creditmesh.gateway.channels import reading
from creditmesh.kernel.reasons import Reason
from creditmesh.platform.http import FAULTS, InstitutionUnavailable
from creditmesh.platform.institutions import SecretMissing

_NO_ANSWER = {
    **FAULTS,
    "base_url_refused": "the base_url is not allowed: {rule}",
    "file_missing": "has delivered no file",
    "file_removed": "removed its file",
    "file_too_large": "the file is too large: has more than {max} bytes",
    "file_too_old": "the newest file is too old",
    "file_unreadable": "the file cannot be read as {format}",
    "file_value_damaged": "the file has a value in {column} that a spreadsheet has changed: {rule}",
    "out_of_time": "no answer in time",
    "pages_form_loop": "has pages that form a loop",
    "rate_limit_reached": "the rate limit allows no further call in time",
    "too_many_pages": "has more than {max} pages",
    **{f"file_{code}": f"the file {sentence}" for code, sentence in reading.FAULTS.items()},
    **{f"token_{code}": f"issues no token: {sentence}" for code, sentence in FAULTS.items()},
}
_NAMES = (
    "answer", "by_fallback_rule", "circuit_open", "disabled", "in_progress", "may_have_been_charged",
    "no_answer_in_time", "rate_limited", "request", "withdrawn",
)  # fmt: skip
"""Codes that were shown as they are before others had any, and so have no sentence."""
SENTENCES = {
    **_NO_ANSWER,
    **SecretMissing.SENTENCES,
    **{f"answer_{code}": f"answer {sentence}" for code, sentence in reading.FAULTS.items()},
    "answer_is_receipt": "answer is a receipt",
    "answer_not_awaited": "answer came late, which is not awaited",
    "no_consent": "{problem}",
    "no_such_channel": "no such channel",
    "platform_failed": "{error}",
    "refused": "{reason}",
    **{code: code for code in _NAMES},
}


class CallReason(Reason):
    """Why a call ended with its outcome."""

    SENTENCES = SENTENCES


CallReasonCode = Annotated[str, CallReason.enum()]


class NoSourceAnswer(InstitutionUnavailable):
    """No usable answer of a source, or none of its token server or file."""

    SENTENCES = _NO_ANSWER


def lacking(problem: str) -> CallReason:
    """The reason of a call that needs a right and has none; the problem as in `Authorization.problem`."""
    return CallReason.of("withdrawn") if problem == "withdrawn" else CallReason.of("no_consent", problem=problem)


def problem_of(cause: CallReason | None) -> str:
    """Why a right is of no use: its problem, the source's own code for a refusal, or `rejected`."""
    if cause is None:
        return "rejected"
    named = {"no_consent": "problem", "refused": "reason"}.get(cause.code)
    return str(cause.parameters[named]) if named else "withdrawn" if cause.code == "withdrawn" else "rejected"


def reason_of(failure: InstitutionUnavailable | SecretMissing) -> CallReason:
    """The reason of a call that failed."""
    return CallReason(code=failure.fault, parameters=failure.parameters)
