"""Sources that send files: the firm's rows in the newest file an institution dropped in S3."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

from creditmesh.gateway.channels.document import MAX_ANSWER_BYTES, BatchFile, Channel
from creditmesh.kernel.clock import Clock
from creditmesh.platform.http import InstitutionUnavailable
from creditmesh.platform.objects import Objects


class BatchFiles:
    """Reads institutions' files below ``incoming/{institution}/``."""

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def rows(self, channel: Channel, transport: BatchFile, key: str) -> bytes:
        """The firm's rows as a JSON document ``{"file", "rows"}``.

        Raises:
            InstitutionUnavailable: no file, too old a one, too large a one, or one that cannot be read.
        """
        found = self._objects.newest(f"incoming/{channel.institution}/{transport.prefix}")
        if found is None:
            raise InstitutionUnavailable("has sent no file", sent=False)
        name, stored_at = found
        if self._clock.now() - stored_at > timedelta(days=transport.oldest_days):
            raise InstitutionUnavailable("the newest file is too old", sent=False)
        content = self._objects.get(name)
        if len(content) > MAX_ANSWER_BYTES:
            raise InstitutionUnavailable("the file is too large", sent=False)
        try:
            rows = _rows(transport, content.decode(channel.response.charset))
            mine = [row for row in rows if str(row.get(transport.key_column)) == key]
        except (ValueError, AttributeError, csv.Error, RecursionError):
            raise InstitutionUnavailable(f"the file cannot be read as {transport.format}", sent=False) from None
        document = {"file": name.rpartition("/")[2], "rows": mine}
        return json.dumps(document, ensure_ascii=False, sort_keys=True).encode(channel.response.charset)


def _rows(transport: BatchFile, text: str) -> list[dict[str, Any]]:
    if transport.format == "csv":
        return list(csv.DictReader(io.StringIO(text), strict=True))
    return [json.loads(line) for line in text.splitlines() if line.strip()]
