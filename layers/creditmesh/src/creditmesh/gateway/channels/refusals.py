"""Final refusals of a source."""

from __future__ import annotations

import re

from creditmesh.gateway.channels import reading as reader
from creditmesh.gateway.channels.document import Channel, Outcome, Refusal
from creditmesh.gateway.channels.expressions import search
from creditmesh.gateway.channels.reasons import CallReason

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,59}", re.ASCII)


def refusal(channel: Channel, status: int, body: bytes) -> tuple[Outcome, CallReason] | None:
    """Outcome and reason of a refusal; None if the answer is not a refusal."""
    for rule in channel.response.refusals:
        if status == rule.status:
            reason = _reason(channel, rule, body)
            if not rule.reasons or reason in rule.reasons:
                told = _told(rule, reason)
                cause = CallReason.of("refused", reason=told) if told else CallReason.of("answered", status=status)
                return Outcome(rule.outcome), cause
    return None


def _told(rule: Refusal, reason: str | None) -> str | None:
    """A code that the document lists, or that looks like one: other texts may name persons."""
    return reason if reason and (reason in rule.reasons or _CODE.fullmatch(reason)) else None


def _reason(channel: Channel, rule: Refusal, body: bytes) -> str | None:
    if rule.path is None:
        return None
    try:
        found = search(rule.path, reader.parse(channel.response, body))
    except reader.Unreadable:
        return None
    return str(found) if isinstance(found, str | int) else None
