"""Use cases of the lists: enter a firm, look a firm up."""

from __future__ import annotations

from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.crypto import BlindIndex
from creditmesh.platform.tables import Put, Tables
from creditmesh.screening.model import ListEntry


class Lists:
    """The platform's blacklist by taxpayer id."""

    def __init__(self, tables: Tables, table: str, index: BlindIndex, clock: Clock) -> None:
        self._tables, self._table, self._index, self._clock = tables, table, index, clock

    def enter(self, taxpayer_id: str, *, source: str, reason: str, by: str, valid_until: str | None = None) -> None:
        """Put a firm on the blacklist; entering it again replaces the source's entry."""
        entry = ListEntry(
            subject_index=self._subject(taxpayer_id),
            source=source,
            reason=reason,
            added_at=iso(self._clock.now()),
            added_by=by,
            valid_until=valid_until,
        )
        self._tables.write(Put(self._table, entry.model_dump(mode="json"), "subject_index", replace=True))

    def hits(self, taxpayer_id: str) -> int:
        """How many valid blacklist entries name the firm."""
        now = iso(self._clock.now())
        found = self._tables.query(self._table, "subject_index", self._subject(taxpayer_id))
        return sum(1 for item in found if item.get("valid_until") is None or item["valid_until"] > now)

    def _subject(self, taxpayer_id: str) -> str:
        return self._index.of("blacklist", taxpayer_id)
