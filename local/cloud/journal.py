"""An append-only journal in numbered segments, and the base it is replayed over.

A record is one line of JSON. ``append`` returns once the bytes are with the operating system: a killed process loses
nothing (a machine that loses power may lose the last seconds; this is a developer's machine). Replay reads the base
and then every segment in order; a torn last line, cut by a kill in the middle of a write, was never acknowledged and
is dropped.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Record = list[Any]


class Journal:
    """Segments ``<name>-<number>.jsonl`` and the base ``<name>-base.jsonl`` in one directory.

    Args:
        most_segments: with more the journal wants a new base.
    """

    def __init__(self, directory: Path, name: str, most_segments: int = 8) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._most_segments = most_segments
        self._directory = directory
        self._name = name
        self._lock = threading.Lock()
        self.size = 0
        self._number = max(self._numbers(), default=0)
        self._file = -1
        self.rotate()

    def _numbers(self) -> list[int]:
        names = (path.stem.removeprefix(f"{self._name}-") for path in self._directory.glob(f"{self._name}-*.jsonl"))
        return sorted(int(name) for name in names if name.isdigit())

    def _segment(self, number: int) -> Path:
        return self._directory / f"{self._name}-{number}.jsonl"

    @property
    def _base(self) -> Path:
        return self._directory / f"{self._name}-base.jsonl"

    def append(self, record: Record) -> None:
        """Write one record; on return it survives a kill of this process."""
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            os.write(self._file, line)
            self.size += len(line)

    def rotate(self) -> int:
        """Begin a new segment; returns the number of the last one before it."""
        with self._lock:
            before = self._number
            self._number += 1
            if self._file >= 0:
                os.close(self._file)
            self._file = os.open(self._segment(self._number), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self.size = 0
        return before

    def replace_base(self, records: Iterable[Record], through: int) -> None:
        """Write a new base that holds all that segments up to ``through`` say, then delete those segments."""
        part = self._base.with_suffix(".part")
        with part.open("w") as file:
            for record in records:
                file.write(json.dumps(record, separators=(",", ":")) + "\n")
        part.replace(self._base)
        for number in self._numbers():
            if number <= through:
                self._segment(number).unlink(missing_ok=True)

    def replay(self) -> Iterator[Record]:
        """Every record, oldest first."""
        for path in [self._base, *(self._segment(number) for number in self._numbers())]:
            if path.exists():
                yield from _records(path)

    def wants_compaction(self, most_bytes: int) -> bool:
        """Whether the segments are large or many."""
        numbers = self._numbers()
        return (
            len(numbers) > self._most_segments
            or sum(self._segment(number).stat().st_size for number in numbers) > most_bytes
        )

    def close(self) -> None:
        """Close the open segment."""
        with self._lock:
            os.close(self._file)
            self._file = -1


def _records(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield json.loads(line)
