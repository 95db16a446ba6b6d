"""Sources that deliver files: the firm's rows in the newest file of an institution in S3."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from creditmesh.gateway.channels import exact_json
from creditmesh.gateway.channels.document import MAX_ANSWER_BYTES, BatchFile, Channel
from creditmesh.gateway.channels.reading import Unreadable, csv_rows
from creditmesh.gateway.channels.reasons import NoSourceAnswer
from creditmesh.kernel.charsets import decoder, modern
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.errors import NotFound
from creditmesh.kernel.identifiers import DamagedValue, compact, undamaged
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
        lines = _lines(transport, content, channel.response.charset)
        is_firms = _matcher(transport, key)
        try:
            if transport.format == "csv":
                rows = list(_csv_rows(transport, csv_rows(lines, open_end=channel.response.open_end), is_firms))
            else:
                rows = list(_json_rows(transport, lines, is_firms))
        except DamagedValue as damage:
            raise NoSourceAnswer(
                "file_value_damaged", sent=False, column=damage.field or "", rule=damage.rule
            ) from None
        except (Unreadable, exact_json.NotExact) as error:
            raise NoSourceAnswer(f"file_{error.fault}", sent=False, **error.parameters) from None
        except (ValueError, RecursionError):
            raise NoSourceAnswer("file_unreadable", sent=False, format=transport.format) from None
        file = json.dumps(name.rpartition("/")[2])
        # Rows stay text, so that numbers keep their digits.
        return f'{{"file":{file},"rows":[{",".join(rows)}]}}'.encode(channel.response.charset)

    def _newest(self, channel: Channel, transport: BatchFile) -> tuple[str, bytes]:
        found = self._objects.newest(f"incoming/{channel.institution}/{transport.prefix}")
        if found is None:
            raise NoSourceAnswer("file_missing", sent=False)
        name, stored_at = found
        if self._clock.now() - stored_at > timedelta(days=transport.oldest_days):
            raise NoSourceAnswer("file_too_old", sent=False)
        try:
            return name, self._objects.get(name, at_most=MAX_ANSWER_BYTES)
        except NotFound:
            raise NoSourceAnswer("file_removed", sent=False) from None
        except ObjectTooLarge:
            raise NoSourceAnswer("file_too_large", sent=False, max=MAX_ANSWER_BYTES) from None


def _lines(transport: BatchFile, content: bytes, charset: str) -> Iterator[str]:
    """A file's lines, decoded one by one: the whole text would take several times the file's memory."""
    # The csv module splits lines itself. `splitlines` would also split at characters that JSON strings may contain.
    newline = "" if transport.format == "csv" else "\n"
    codec, errors = decoder(charset, content)
    text = io.TextIOWrapper(io.BytesIO(content), encoding=codec, errors=errors, newline=newline)
    for number, line in enumerate(text):
        yield modern(codec, line if number else line.removeprefix("\ufeff"))


def _matcher(transport: BatchFile, key: str) -> Callable[[str], bool]:
    """Whether a cell is the firm's key, also as people and spreadsheets write a taxpayer id.

    Raises:
        DamagedValue: of the result; a spreadsheet has changed the cell, which may have been the firm's key.
    """
    if transport.key != "taxpayer_id":
        return lambda cell: cell.strip() == key
    wanted = compact(key)
    shortened = wanted.isdigit()  # others do not look like numbers to a spreadsheet
    return lambda cell: compact(undamaged(cell, field=transport.key_column) if shortened else cell) == wanted


def _csv_rows(
    transport: BatchFile, rows: Iterable[dict[str, str]], is_firms: Callable[[str], bool]
) -> Iterator[str]:  # fmt: skip
    for row in rows:
        if transport.key_column not in row:
            raise Unreadable("no_key_column")
        if is_firms(row[transport.key_column]):
            yield json.dumps(row)


def _json_rows(transport: BatchFile, lines: Iterable[str], is_firms: Callable[[str], bool]) -> Iterator[str]:
    for line in lines:
        if not line.strip():
            continue
        row = exact_json.parsed(line)
        if not isinstance(row, dict):
            raise ValueError("has a line that is not an object")
        if is_firms(str(row.get(transport.key_column))):
            yield _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], line.strip())
