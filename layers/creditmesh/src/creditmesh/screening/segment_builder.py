"""Writes the segment of one import: entries sorted by fingerprint, names with their keys."""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

from creditmesh.screening.model import Kind, ListName
from creditmesh.screening.segment import BUCKETS, KINDS, LISTS, MAGIC, NEVER, SECTIONS, key_code
from creditmesh.screening.similarity import keys

_LIST_NUMBER = {name: number for number, name in enumerate(LISTS)}
_KIND_NUMBER = {kind: number for number, kind in enumerate(KINDS)}


class Row(NamedTuple):
    """One accepted line."""

    line: int
    list_name: ListName
    kind: Kind
    subject: str
    """Normalised."""
    reason_code: str
    begins: int = 0
    """Seconds since the epoch, like `ends`."""
    ends: int = NEVER


class SegmentBuilder:
    """Collects rows and writes the segment; a later line replaces an earlier one of the same list and subject."""

    def __init__(self) -> None:
        self._fingerprint, self._flags = array("Q"), array("B")
        self._begins, self._ends = array("I"), array("I")
        self._reason, self._line = array("H"), array("I")
        self._reasons: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def add(self, rows: Iterable[tuple[Row, int]]) -> None:
        """Add rows with their subjects' fingerprints, in line order."""
        for row, fingerprint in rows:
            if row.kind is Kind.NAME:
                self._names[len(self._line)] = row.subject
            self._fingerprint.append(fingerprint)
            self._flags.append(_LIST_NUMBER[row.list_name] | _KIND_NUMBER[row.kind] << 2)
            self._begins.append(row.begins)
            self._ends.append(row.ends)
            self._reason.append(self._reasons.setdefault(row.reason_code, len(self._reasons)))
            self._line.append(row.line)

    def build(self) -> tuple[bytes, int]:
        """The segment, and its number of entries."""
        if sys.byteorder != "little":
            raise RuntimeError("segments are little-endian")
        order = self._order()
        place_of = {taken: place for place, taken in enumerate(order) if taken in self._names}
        sections: dict[str, bytes] = {
            "fingerprint": array("Q", (self._fingerprint[number] for number in order)).tobytes(),
            "flags": array("B", (self._flags[number] for number in order)).tobytes(),
            "begins": array("I", (self._begins[number] for number in order)).tobytes(),
            "ends": array("I", (self._ends[number] for number in order)).tobytes(),
            "reason": array("H", (self._reason[number] for number in order)).tobytes(),
            "line": array("I", (self._line[number] for number in order)).tobytes(),
            **_names({place: self._names[taken] for taken, place in place_of.items()}),
        }
        return _packed(sections, len(order), len(place_of), list(self._reasons)), len(order)

    def _order(self) -> list[int]:
        """Row numbers by fingerprint, list and kind, without replaced rows."""
        keys = sorted(
            fingerprint << 40 | self._flags[number] << 32 | number
            for number, fingerprint in enumerate(self._fingerprint)
        )
        kept = (key for key, following in zip(keys, [*keys, -1][1:], strict=True) if key >> 32 != following >> 32)
        return [key & 0xFFFFFFFF for key in kept]


def _names(names: dict[int, str]) -> dict[str, bytes]:
    """The sections for finding similar names, from position of the entry -> name."""
    places = sorted(names)
    starts, texts = array("I", [0]), []
    by_key = [array("Q") for _ in range(256)]  # by the code's first byte, so that fewer are sorted at once
    size = 0
    for number, place in enumerate(places):
        name = names[place]
        texts.append(text := name.encode("utf-8", "surrogatepass"))
        size += len(text)
        starts.append(size)
        for code in {key_code(key) for key in keys(name)}:
            by_key[code >> 24].append(code << 32 | number)
    counts, low, key_name = [0] * BUCKETS, array("H"), array("I")
    for part in by_key:
        for one in sorted(part):
            counts[one >> 48] += 1
            low.append(one >> 32 & 0xFFFF)
            key_name.append(one & 0xFFFFFFFF)
    return {
        "name_entry": array("I", places).tobytes(),
        "name_start": starts.tobytes(),
        "name_text": b"".join(texts),
        "bucket": array("I", accumulate(counts, initial=0)).tobytes(),
        "key": low.tobytes(),
        "key_name": key_name.tobytes(),
    }


def _packed(sections: dict[str, bytes], count: int, names: int, reasons: list[str]) -> bytes:
    """Header and sections, each aligned to its element size."""
    lengths = {name: len(sections[name]) for name in SECTIONS}
    places: dict[str, list[int]] = {name: [2**40, length] for name, length in lengths.items()}  # maximal length

    def header() -> bytes:
        document = {"count": count, "names": names, "reasons": reasons, "sections": places}
        return json.dumps(document, ensure_ascii=False).encode()

    start = at = -(-(len(MAGIC) + 4 + len(header())) // 8) * 8
    for name, length in lengths.items():
        places[name] = [at, length]
        at += -(-length // 8) * 8
    text = header()
    parts = [MAGIC, len(text).to_bytes(4, "little"), text, bytes(start - len(MAGIC) - 4 - len(text))]
    for name, length in lengths.items():
        parts += [sections[name], bytes(-length % 8)]
    return b"".join(parts)
