"""Imports in S3: encrypted blocks of lines, the encrypted index for look-ups, rejected lines.

All objects of an import are below ``lists/generations/{import_id}/`` and encrypted with one data key, which each object
carries wrapped. Objects are never overwritten with different content.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from creditmesh.platform.crypto import BulkCipher, DataKey
from creditmesh.platform.objects import Objects
from creditmesh.screening.import_lines import Taken
from creditmesh.screening.import_model import Rejected
from creditmesh.screening.model import Kind, ListName
from creditmesh.screening.segment import IndexSegment
from creditmesh.screening.segment_builder import Row

BLOCK_LINES = 5_000
_BYTES = "application/octet-stream"


class Generations:
    """Reads and writes the objects of an import."""

    def __init__(self, objects: Objects, cipher: BulkCipher) -> None:
        self._objects, self._cipher = objects, cipher
        self._keys: dict[str, DataKey] = {}

    def put_lines(self, import_id: str, key: DataKey, taken: Sequence[Taken]) -> None:
        """Store accepted lines in blocks, each named by its first line."""
        for start in range(0, len(taken), BLOCK_LINES):
            block = taken[start : start + BLOCK_LINES]
            text = json.dumps([_plain(one) for one in block], ensure_ascii=False, separators=(",", ":"))
            first = block[0].row.line
            self._put(_block_key(import_id, first), key, zlib.compress(text.encode(), 1))

    def lines(self, import_id: str) -> Iterator[list[Taken]]:
        """All accepted lines, block by block, in file order."""
        for place in self._blocks(import_id):
            yield self._block(place)

    def line(self, import_id: str, number: int) -> Taken | None:
        blocks = self._blocks(import_id)
        place = bisect_right(blocks, _block_key(import_id, number)) - 1
        if place < 0:
            return None
        return next((one for one in self._block(blocks[place]) if one.row.line == number), None)

    def put_index(self, import_id: str, key: DataKey, content: bytes, index_key: str) -> None:
        """Store the index for look-ups.

        Args:
            index_key: names the index key and the normal forms that it was made with.
        """
        self._put(_index_place(import_id, index_key), key, content)

    def index(self, import_id: str, index_key: str) -> IndexSegment:
        return IndexSegment(self._get(_index_place(import_id, index_key)))

    def put_rejected(self, import_id: str, rejected: Sequence[Rejected]) -> None:
        """Store rejected lines in an object named by the first of them."""
        key = f"lists/generations/{import_id}/rejected/{rejected[0].line:010d}.json"
        self._objects.put_json(key, [one.model_dump() for one in rejected])

    def rejected(self, import_id: str, limit: int) -> list[Rejected]:
        """The first so many rejected lines, in the order of the file."""
        found: list[Rejected] = []
        for key in self._objects.keys(f"lists/generations/{import_id}/rejected/"):
            found += [Rejected.model_validate(one) for one in self._objects.get_json(key)]
            if len(found) >= limit:
                break
        return found[:limit]

    def key_of(self, wrapped: str) -> DataKey:
        if wrapped not in self._keys:
            self._keys = {wrapped: self._cipher.open_key(wrapped)}
        return self._keys[wrapped]

    def new_key(self) -> DataKey:
        return self._cipher.new_key()

    def _blocks(self, import_id: str) -> list[str]:
        return self._objects.keys(f"lists/generations/{import_id}/lines/")

    def _block(self, key: str) -> list[Taken]:
        return [_read(line) for line in json.loads(zlib.decompress(self._get(key)))]

    def _put(self, place: str, key: DataKey, content: bytes) -> None:
        wrapped = key.wrapped.encode()
        body = len(wrapped).to_bytes(2, "big") + wrapped + key.seal(content, place)
        self._objects.put(place, body, _BYTES)

    def _get(self, place: str) -> bytes:
        body = memoryview(self._objects.get(place))
        size = 2 + int.from_bytes(body[:2], "big")
        return self.key_of(bytes(body[2:size]).decode()).open(body[size:], place)


def _block_key(import_id: str, first_line: int) -> str:
    return f"lists/generations/{import_id}/lines/{first_line:010d}"


def _index_place(import_id: str, index_key: str) -> str:
    return f"lists/generations/{import_id}/index-{index_key}"


def _plain(taken: Taken) -> list[object]:
    return [*taken.row, taken.value, taken.text]


def _read(parts: list[object]) -> Taken:
    *row, value, text = parts
    line, list_name, kind, subject, reason_code, begins, ends = row
    return Taken(
        Row(line, ListName(list_name), Kind(kind), subject, reason_code, begins, ends),  # type: ignore[arg-type]
        value,  # type: ignore[arg-type]
        text,  # type: ignore[arg-type]
    )
