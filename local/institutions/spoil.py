"""Spoils answers: truncated, recoded, with a drifted schema, or replaced."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from institutions.faults import Fault

GARBAGE = b'{"basics": {"taxpayer_id": <html><body>502 Bad Gateway'
_CHUNK = 65_536
_BOMB_LEVELS = 10
_FIRST_ELEMENT = re.compile(r"<([A-Za-z]\w*)>")


def refusal(fault: Fault) -> Response:
    later = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
    return JSONResponse({"error": "fault_on_demand"}, status_code=fault.status, headers=later)


def huge(megabytes: int, *, xml: bool) -> Response:
    """Well-formed and far too large; sent in chunks, without a length."""
    head, tail = ("<filler>", "</filler>") if xml else ('{"filler": "', '"}')

    async def pieces() -> AsyncIterator[bytes]:
        yield head.encode()
        for _ in range(megabytes * 2**20 // _CHUNK):
            yield b"x" * _CHUNK
            # Lets the server notice that the client has disconnected.
            await asyncio.sleep(0)
        yield tail.encode()

    return StreamingResponse(pieces(), media_type="text/xml" if xml else "application/json")


def xml_bomb() -> Response:
    """A small document whose entities would expand to ten billion words."""
    levels = [f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, _BOMB_LEVELS + 1)]
    text = (
        f'<?xml version="1.0"?>\n<!DOCTYPE bomb [<!ENTITY l0 "boom">{"".join(levels)}]>\n<bomb>&l{_BOMB_LEVELS};</bomb>'
    )
    return Response(text, media_type="text/xml")


def recoded(body: bytes, charset: str) -> bytes:
    """The text in another charset than declared; pure ASCII becomes UTF-16 without a mark."""
    text = body.decode(charset)
    other = text.encode("utf-8" if charset.lower().startswith("gb") else "gb18030")
    return text.encode("utf-16-le") if other == body else other


def drifted(body: bytes, charset: str, field: str | None, how: str) -> bytes:
    """A document of another version: a field renamed or retyped, at any depth."""
    text = body.decode(charset)
    if text.lstrip().startswith("<"):
        return _drifted_xml(text, field, how).encode(charset)
    document = json.loads(text)
    first = next(iter(document), None) if isinstance(document, dict) else None
    changed = _drifted_json(document, field or first or "", how)
    return json.dumps(changed, ensure_ascii=False).encode(charset)


def _drifted_json(value: Any, field: str, how: str) -> Any:
    if isinstance(value, list):
        return [_drifted_json(one, field, how) for one in value]
    if not isinstance(value, dict):
        return value
    changed: dict[str, Any] = {}
    for name, one in value.items():
        if name != field:
            changed[name] = _drifted_json(one, field, how)
        elif how == "rename":
            changed[f"{name}_v2"] = one
        else:
            changed[name] = [one] if not isinstance(one, list) else {"items": one}
    return changed


def _drifted_xml(text: str, field: str | None, how: str) -> str:
    found = _FIRST_ELEMENT.search(text)
    name = field or (found[1] if found else "")
    if how == "rename":
        return re.sub(rf"<(/?){re.escape(name)}(?![\w:.-])", rf"<\g<1>{name}V2", text)
    opened = re.sub(rf"<{re.escape(name)}>", r"\g<0><Value>", text)
    return re.sub(rf"</{re.escape(name)}>", r"</Value>\g<0>", opened)
