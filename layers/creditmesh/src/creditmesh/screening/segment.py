"""One import's entries in memory: sorted arrays over one byte buffer, read in place.

A million entries take some 60 MB, and a look-up takes a few steps of binary search without I/O. The bytes are written
by ``segment_builder`` and never changed.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from creditmesh.screening.model import MIN_SCORE_BPS, Kind, ListName
from creditmesh.screening.similarity import keys, score_bps

MAGIC = b"CMLS1\n"
NEVER = 2**32 - 1
LISTS, KINDS = tuple(ListName), tuple(Kind)
MAX_COMPARED = 200
"""Most names that one name is compared with; bounds the time of a look-up."""
BUCKETS = 2**16
SECTIONS = {
    "fingerprint": "Q", "flags": "B", "begins": "I", "ends": "I", "reason": "H", "line": "I",
    "name_entry": "I", "name_start": "I", "name_text": "B", "bucket": "I", "key": "H", "key_name": "I",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of a segment."""

    list_name: ListName
    kind: Kind
    fingerprint: int
    begins: int
    """Seconds since the epoch, like `ends`, which is excluded."""
    ends: int
    reason_code: str
    line: int
    """Line number in the imported file."""
    name: str | None = None
    """Normalised name, if found by similarity."""


def key_code(key: str) -> int:
    """A 32-bit hash of a name's key; a collision only costs a comparison."""
    return crc32(key.encode("utf-8", "surrogatepass"))


class IndexSegment:
    """A segment's bytes, opened."""

    def __init__(self, content: bytes) -> None:
        if not content.startswith(MAGIC):
            raise ValueError("not a list segment")
        size = int.from_bytes(content[len(MAGIC) : len(MAGIC) + 4], "little")
        begin = len(MAGIC) + 4
        header = json.loads(content[begin : begin + size])
        self.count: int = header["count"]
        self.names: int = header["names"]
        self._reasons: list[str] = header["reasons"]
        view = memoryview(content)

        def section(name: str) -> Any:
            start, length = header["sections"][name]
            return view[start : start + length].cast(SECTIONS[name])  # type: ignore[call-overload]

        self._fingerprint, self._flags = section("fingerprint"), section("flags")
        self._begins, self._ends = section("begins"), section("ends")
        self._reason, self._line = section("reason"), section("line")
        self._name_entry, self._name_start = section("name_entry"), section("name_start")
        self._name_text = section("name_text")
        self._bucket, self._key, self._key_name = section("bucket"), section("key"), section("key_name")

    def exact(self, kind: Kind, fingerprint: int) -> Iterator[Found]:
        place = bisect_left(self._fingerprint, fingerprint)
        while place < self.count and self._fingerprint[place] == fingerprint:
            found = self._entry(place)
            if found.kind is kind:
                yield found
            place += 1

    def similar(self, name: str) -> tuple[list[tuple[int, Found]], bool]:
        """Names similar to a normalised one, with their scores, and whether all that share a key were compared."""
        candidates, complete = self._candidates(name)
        found = []
        for candidate in candidates:
            known = self._name(candidate)
            if (score := score_bps(name, known)) >= MIN_SCORE_BPS:
                found.append((score, replace(self._entry(self._name_entry[candidate]), name=known)))
        return found, complete

    def _candidates(self, name: str) -> tuple[set[int], bool]:
        """Names that share a key with this one, those that share the complete name first."""
        found: set[int] = set()
        for code in map(key_code, keys(name)):
            bucket, low = divmod(code, BUCKETS)
            end = self._bucket[bucket + 1]
            place = bisect_left(self._key, low, self._bucket[bucket], end)
            while place < end and self._key[place] == low:
                if len(found) >= MAX_COMPARED and self._key_name[place] not in found:
                    return found, False
                found.add(self._key_name[place])
                place += 1
        return found, True

    def _name(self, number: int) -> str:
        return str(self._name_text[self._name_start[number] : self._name_start[number + 1]], "utf-8")

    def _entry(self, place: int) -> Found:
        flags = self._flags[place]
        return Found(
            list_name=LISTS[flags & 3],
            kind=KINDS[flags >> 2],
            fingerprint=self._fingerprint[place],
            begins=self._begins[place],
            ends=self._ends[place],
            reason_code=self._reasons[self._reason[place]],
            line=self._line[place],
        )
