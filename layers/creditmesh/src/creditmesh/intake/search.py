"""Lists of applications: by an index where one serves a filter, otherwise page by bounded page."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from creditmesh.intake.model import ApplicationSummary, Status
from creditmesh.kernel.caller import STAFF, Caller, Role
from creditmesh.kernel.identifiers import taxpayer_id
from creditmesh.platform.paging import Page, Partition, Window, read
from creditmesh.platform.tables import Item, Tables

if TYPE_CHECKING:
    from creditmesh.platform.blind_index import BlindIndex

_ID = re.compile(r"app_[0-9a-f]{28}")
_KEY = ("application_id",)
_FIELDS = (*ApplicationSummary.model_fields, "status_at", "taxpayer_index")


@dataclass(frozen=True)
class Search:
    """Which applications to list; what is None or empty does not matter."""

    statuses: frozenset[Status] = frozenset()
    waiting_since: str | None = None
    """The status has been the same since this instant or longer."""
    lender_id: str | None = None
    """The chosen lender."""
    taxpayer_id: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    """An application's id, or how the firm's name begins, whatever the case and width of letters."""


class ApplicationLists:
    """Lists the applications that a caller may see."""

    def __init__(self, tables: Tables, table: str, index: BlindIndex) -> None:
        self._tables, self._table, self._index = tables, table, index

    def find(self, caller: Caller, search: Search, window: Window) -> Page[ApplicationSummary]:
        """The caller's applications, newest first; staff without a firm or lender see the latest changes first.

        Raises:
            InvalidInput: no valid taxpayer id.
        """
        firms = self._index.each("taxpayer_id", taxpayer_id(search.taxpayer_id)) if search.taxpayer_id else []
        wanted = _filter(caller, search, firms)
        if wanted and search.text and _ID.fullmatch(search.text):
            item = self._tables.get(self._table, {"application_id": search.text})
            found = Page([item] if item and wanted(item) else [])
        else:
            found = read(self._tables, self._partitions(caller, search, firms), window, wanted)
        return found.map(ApplicationSummary.model_validate)

    def _partitions(self, caller: Caller, search: Search, firms: list[str]) -> list[Partition]:
        if caller.role is Role.LENDER:
            return [self._by("lender", "chosen_lender_id", caller.tenant)]
        if caller.role is Role.BANK:
            return [self._by("channel", "channel", f"bank:{caller.tenant}")]
        if caller.role not in STAFF:
            return [self._by("tenant", "tenant", caller.tenant)]
        if firms:
            return [self._by("taxpayer", "taxpayer_index", firm) for firm in firms]
        if search.lender_id:
            return [self._by("lender", "chosen_lender_id", search.lender_id)]
        between = ("0", search.waiting_since) if search.waiting_since else None
        return [
            self._by("status", "status", one, "status_at", between) for one in sorted(search.statuses or Status)
        ]  # fmt: skip

    def _by(
        self, index: str, attribute: str, equals: str, sort: str = "created_at", between: tuple[str, str] | None = None
    ) -> Partition:
        return Partition(
            self._table, _KEY, attribute, equals, sort, index=f"by-{index}", newest_first=True, between=between,
            fields=_FIELDS,
        )  # fmt: skip


def _filter(caller: Caller, search: Search, firms: list[str]) -> Callable[[Item], bool] | None:
    """Whether an item is wanted; None if the index by status answers that."""
    if caller.role in STAFF and not (firms or search.lender_id or search.text):
        return None
    start = _folded(search.text or "")

    def wanted(item: Item) -> bool:
        one = ApplicationSummary.model_validate(item)
        return (
            one.visible_to(caller)
            and (not search.statuses or one.status in search.statuses)
            and (not search.waiting_since or item["status_at"] <= search.waiting_since)
            and search.lender_id in (None, one.chosen_lender_id)
            and (not firms or item["taxpayer_index"] in firms)
            and (one.application_id == search.text or _folded(one.firm_name).startswith(start))
        )

    return wanted


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
