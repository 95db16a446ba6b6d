"""What the platform notes in an application's timeline and beside its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from creditmesh.kernel.reasons import Reason

_LONGEST_WORD, _MOST_WORDS = 100, 20


class Note(Reason):
    """A note of the platform; what a person writes has no code."""

    SENTENCES = {
        "answer_came": "the answer came",
        "approved_for": "{amount} {currency}",
        "authorization_needed": "{problem}",
        "authorization_not_given": "{problem}",
        "catalogue_empty": "the catalogue is empty",
        "chosen": "{name}",
        "countered_with": "{amount} {currency}",
        "declined_for": "{reasons}",
        "ended": "{outcome}",
        "flow_assigned": "{flow_id}",
        "handed_over": "{stage}: {reasons}",
        "manager_reminded": "a manager was reminded",
        "nothing_fits": "the nearest product is {name}: {unmet}",
        "offers_made": "{count} offers",
        "payment_cancelled": "the order to pay {order_id} was cancelled",
        "payment_failed": "{reason_code}",
        "paid_out": "{amount} {currency}",
        "rejected_by_lender": "{reason_code}",
        "rejected_without_reason": "no reason given",
        "withdrawn_by_borrower": "withdrawn by the borrower",
    }

    words: str | None = None
    """Written instead of the sentence: a lender's own, or more than the parameters say."""


def noted(note: Note | str | None, prefix: str = "") -> dict[str, Any]:
    """A note's attributes in an item; the sentence of a code is made on reading."""
    if not isinstance(note, Note):
        return {f"{prefix}note": note} if note else {}
    told = {"note": note.words, "note_code": note.code, "note_parameters": note.parameters or None}
    return {f"{prefix}{name}": value for name, value in told.items() if value is not None}


def with_note(item: Any, prefix: str = "") -> Any:
    """For a validator: an item with the sentence of its note's code."""
    code = item.get(f"{prefix}note_code") if isinstance(item, Mapping) else None
    if code is None or item.get(f"{prefix}note"):
        return item
    return {**item, f"{prefix}note": Note(code=code, parameters=item.get(f"{prefix}note_parameters") or {}).text}


NoteCode = Annotated[str, Note.enum()]


def words_of(reason: str) -> list[str]:
    """The codes in a step's reason: an error's name, or a referral's reasons, separated by commas."""
    return [word[:_LONGEST_WORD] for word in reason.split(", ")[:_MOST_WORDS]]
