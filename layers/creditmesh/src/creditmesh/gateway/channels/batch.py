"""Sources that send files: the firm's rows in the newest file an institution dropped in S3."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta

from creditmesh.gateway.channels.document import MAX_ANSWER_BYTES, BatchFile, Channel
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.objects import Objects


class BatchFiles:
    """Reads institutions' files below ``incoming/{institution}/``."""

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def rows(self, channel: Channel, transport: BatchFile, key: str) -> bytes:
        """The firm's rows as a JSON document ``{"file", "rows"}``, in the channel's charset.

        Raises:
            InstitutionUnavailable: no file, too old a one, too large a one, or one that cannot be read.
        """
        name, content = self._newest(channel, transport)
        read = _csv_rows if transport.format == "csv" else _json_rows
        try:
            text = content.decode(channel.response.charset).removeprefix("\ufeff")
            rows = list(read(transport, text, key))
        except (ValueError, csv.Error, RecursionError):
            raise InstitutionUnavailable(f"the file cannot be read as {transport.format}", sent=False) from None
        file = json.dumps(name.rpartition("/")[2], ensure_ascii=False)
        # Rows stay text, so that a number keeps each of its digits.
        return f'{{"file":{file},"rows":[{",".join(rows)}]}}'.encode(channel.response.charset)

    def _newest(self, channel: Channel, transport: BatchFile) -> tuple[str, bytes]:
        found = self._objects.newest(f"incoming/{channel.institution}/{transport.prefix}")
        if found is None:
            raise InstitutionUnavailable("has sent no file", sent=False)
        name, stored_at = found
        if self._clock.now() - stored_at > timedelta(days=transport.oldest_days):
            raise InstitutionUnavailable("the newest file is too old", sent=False)
        try:
            content = self._objects.get(name)
        except NotFound:
            raise InstitutionUnavailable("took its file away", sent=False) from None
        if len(content) > MAX_ANSWER_BYTES:
            raise InstitutionUnavailable("the file is too large", sent=False)
        return name, content


def _csv_rows(transport: BatchFile, text: str, key: str) -> Iterator[str]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if transport.key_column not in (reader.fieldnames or ()):
        raise ValueError("has no such column")
    for row in reader:
        if None in row:
            raise ValueError("has a row that is longer than its header")
        if row[transport.key_column] == key:
            yield json.dumps(row, ensure_ascii=False)


def _json_rows(transport: BatchFile, text: str, key: str) -> Iterator[str]:
    # Not `splitlines`: it also ends lines at characters that JSON has within its strings.
    for line in text.split("\n"):
        if not line.strip():
            continue
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError("has a line that is no object")
        if str(row.get(transport.key_column)) == key:
            yield line.strip()
