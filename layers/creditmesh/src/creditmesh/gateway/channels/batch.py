"""Sources that deliver files: the firm's rows in the newest file of an institution in S3."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta

from creditmesh.gateway.channels.document import MAX_ANSWER_BYTES, BatchFile, Channel
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.objects import Objects, ObjectTooLarge

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


class BatchFiles:
    """Reads institutions' files below ``incoming/{institution}/``."""

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def rows(self, channel: Channel, transport: BatchFile, key: str) -> bytes:
        """The firm's rows as a JSON document ``{"file", "rows"}`` in ASCII.

        ASCII is read the same in any charset that a later version of the document may name.

        Raises:
            InstitutionUnavailable: no file, or one that is too old, too large or unreadable.
        """
        name, content = self._newest(channel, transport)
        read = _csv_rows if transport.format == "csv" else _json_rows
        try:
            rows = list(read(transport, _lines(transport, content, channel.response.charset), key))
        except (ValueError, csv.Error, RecursionError):
            raise InstitutionUnavailable(f"the file cannot be read as {transport.format}", sent=False) from None
        file = json.dumps(name.rpartition("/")[2])
        # Rows stay text, so that numbers keep their digits.
        return f'{{"file":{file},"rows":[{",".join(rows)}]}}'.encode(channel.response.charset)

    def _newest(self, channel: Channel, transport: BatchFile) -> tuple[str, bytes]:
        found = self._objects.newest(f"incoming/{channel.institution}/{transport.prefix}")
        if found is None:
            raise InstitutionUnavailable("has delivered no file", sent=False)
        name, stored_at = found
        if self._clock.now() - stored_at > timedelta(days=transport.oldest_days):
            raise InstitutionUnavailable("the newest file is too old", sent=False)
        try:
            return name, self._objects.get(name, at_most=MAX_ANSWER_BYTES)
        except NotFound:
            raise InstitutionUnavailable("removed its file", sent=False) from None
        except ObjectTooLarge as error:
            raise InstitutionUnavailable(f"the file is too large: {error.message}", sent=False) from None


def _lines(transport: BatchFile, content: bytes, charset: str) -> Iterator[str]:
    """A file's lines, decoded one by one: the whole text would take several times the file's memory."""
    # The csv module splits lines itself. `splitlines` would also split at characters that JSON strings may contain.
    newline = "" if transport.format == "csv" else "\n"
    for number, line in enumerate(io.TextIOWrapper(io.BytesIO(content), encoding=charset, newline=newline)):
        yield line if number else line.removeprefix("\ufeff")


def _csv_rows(transport: BatchFile, lines: Iterable[str], key: str) -> Iterator[str]:
    reader = csv.DictReader(lines, strict=True)
    if transport.key_column not in (reader.fieldnames or ()):
        raise ValueError("has no such column")
    for row in reader:
        if None in row:
            raise ValueError("has a row that is longer than its header")
        if row[transport.key_column] == key:
            yield json.dumps(row)


def _json_rows(transport: BatchFile, lines: Iterable[str], key: str) -> Iterator[str]:
    for line in lines:
        if not line.strip():
            continue
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError("has a line that is not an object")
        if str(row.get(transport.key_column)) == key:
            yield _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], line.strip())
