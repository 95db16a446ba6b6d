"""Cleans a firm's third information into one row.

Values become comparable: amounts in fen, months and days as numbers, monthly series without gaps, repeated rows
resolved. Whatever is lost or doubtful becomes a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, tzinfo
from typing import NamedTuple, NotRequired, TypedDict, Unpack

from creditmesh.features.answer import Answer
from creditmesh.features.cleaning import day_number
from creditmesh.features.contradictions import tell_contradictions
from creditmesh.features.exact import month_index
from creditmesh.features.findings import Note, Quality, SourceDataInvalid
from creditmesh.features.row import SECTIONS
from creditmesh.features.schema import Values
from creditmesh.features.sources import (
    anti_fraud,
    credit_bureau,
    education,
    judicial,
    registry,
    shop,
    tax,
)

Document = Mapping[str, object]
# In the order of their notes.
CLEANERS = {
    "tax": tax.clean,
    "registry": registry.clean,
    "judicial": judicial.clean,
    "credit_bureau": credit_bureau.clean,
    "shop": shop.clean,
    "education": education.clean,
    "anti_fraud": anti_fraud.clean,
}
# Sources without amounts, and so without a currency.
MONEYLESS = frozenset({"education", "anti_fraud"})


class Inputs(TypedDict):
    """What is known besides the sources' data: arguments of ``clean``."""

    blacklist_hits: int
    requested_amount_minor: int
    requested_term_months: int
    as_of: date
    zone: NotRequired[tzinfo]
    greylist_hits: NotRequired[int | None]
    whitelist_hits: NotRequired[int | None]
    blacklist_name_score_bps: NotRequired[int | None]
    greylist_name_score_bps: NotRequired[int | None]


class CleanRow(NamedTuple):
    """A clean row (``row.SECTIONS``) and the notes made while cleaning."""

    values: Values
    notes: list[Note]


def clean(
    sources: Mapping[str, Document | None],
    *,
    blacklist_hits: int,
    requested_amount_minor: int,
    requested_term_months: int,
    as_of: date,
    zone: tzinfo = UTC,
    greylist_hits: int | None = None,
    whitelist_hits: int | None = None,
    blacklist_name_score_bps: int | None = None,
    greylist_name_score_bps: int | None = None,
) -> CleanRow:
    """Clean the sources' data about a firm.

    Args:
        sources: Third information by kind. None: the source was asked and is unavailable, which is a note. A kind that
            is absent was not asked: its sections are null. An unknown kind is a note too, since channels are added by
            configuration.
        requested_amount_minor: In fen.
        as_of: The day of the collection.
        zone: The zone whose days count, for sources that tell instants.
        greylist_hits, whitelist_hits, blacklist_name_score_bps, greylist_name_score_bps: None if not looked up.

    Raises:
        SourceDataInvalid: a document has the wrong shape.
    """
    quality = Quality()
    for kind in sources:
        if kind not in CLEANERS:
            quality.add(kind, "warning", "unknown_kind")
    values: Values = {
        "as_of": day_number(as_of),
        "as_of_month": month_index(as_of),
        "blacklist_hits": blacklist_hits,
        "requested_amount_minor": requested_amount_minor,
        "requested_term_months": requested_term_months,
        "greylist_hits": greylist_hits,
        "whitelist_hits": whitelist_hits,
        "blacklist_name_score_bps": blacklist_name_score_bps,
        "greylist_name_score_bps": greylist_name_score_bps,
        **dict.fromkeys(section.name for section in SECTIONS),
    }
    answers = {
        kind: Answer(kind, sources[kind], quality, money=kind not in MONEYLESS, zone=zone)
        for kind in CLEANERS
        if kind in sources
    }
    for kind, answer in answers.items():
        values.update(CLEANERS[kind](answer, as_of))
    tell_contradictions(answers, values, quality)
    return CleanRow(values, quality.notes)


def clean_leniently(
    sources: Mapping[str, Document | None],
    **inputs: Unpack[Inputs],
) -> CleanRow:
    """Like ``clean``, but a document of the wrong shape counts as unavailable, with the broken rule as a note.

    For bulk jobs, which one broken document must not end.
    """
    left, refused = dict(sources), list[Note]()
    while True:
        try:
            row = clean(left, **inputs)
        except SourceDataInvalid as error:
            left[error.source] = None
            refused.append(Note(error.field or error.source, "error", error.rule))
            continue
        return CleanRow(row.values, [*refused, *row.notes])
