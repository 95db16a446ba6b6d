"""Cursors of lists: opaque to clients, and valid for the list, view and filters that they were given for."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

from api.routing import Call
from api.schemas import Listing
from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform.blind_index import IndexKey
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.crypto import DataKey, SealBroken
from creditmesh.platform.paging import Page, Window

_FORM = "3"
"""Changes with what a cursor holds."""


def window(call: Call, query: Listing) -> Window:
    """The page that a request asks for.

    Raises:
        InvalidInput: the cursor is not one of this list, caller and filters.
    """
    if query.cursor is None:
        return Window(query.limit)
    for key in platform().blind_index.keys():  # noqa: SIM118 - a method
        with suppress(SealBroken, ValueError):
            sealed = base64.b64decode(query.cursor + "=" * (-len(query.cursor) % 4), b"-_", validate=True)
            return Window(query.limit, json.loads(_of(key).open(sealed, *_context(call, query))))
    raise InvalidInput("must be `next` of this list with the same filters", field="cursor", fault="foreign_cursor")


def following(call: Call, query: Listing, page: Page[Any]) -> str | None:
    """The cursor of the page after this one."""
    if page.mark is None:
        return None
    text = json.dumps(page.mark, separators=(",", ":")).encode()
    sealed = _of(platform().blind_index.current).seal(text, *_context(call, query))
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _of(key: IndexKey) -> DataKey:
    return DataKey("", key.derived("cursors"))


def _context(call: Call, query: Listing) -> tuple[str, ...]:
    filters = query.model_dump(mode="json", exclude={"limit", "cursor"})
    asked = {**(call.request.uri_params or {}), **filters}
    caller = call.caller
    return "cursor", _FORM, call.request.path, caller.role, caller.tenant, json.dumps(asked, sort_keys=True)
