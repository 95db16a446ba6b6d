"""Texts from outside: which characters they may contain, and their one written form (NFC).

No text contains what cannot be stored or what changes how its surroundings are read: lone surrogates, controls,
overrides of direction. Fields ask for more: `TEXT` shows something, `LINE` has one line as well, `NAME` names a firm, a
person or a product and contains only what a reader sees.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_PLANES = range(0, 0x110000, 0x10000)
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in _PLANES)
_NEVER = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls, but for tab, line feed and carriage return
    "\u202a-\u202e\u2066-\u206f"  # embedding, overriding and isolating directions; deprecated format characters
    "\ud800-\udfff\ufff9-\ufffb\ufffd"  # surrogates, annotations, what a decoder writes for what it could not read
    f"\U000e0000-\U000e007f{_NONCHARACTERS}]"  # tags, which hide a text in a text
)
_BREAKS = re.compile("[\t\n\r\u2028\u2029]")
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Letters and marks that show nothing: fillers, joiners, selectors of variants, the empty Braille pattern."""
_HIDDEN = frozenset(("Cf", "Co", "Cn"))
"""Format characters, private use and unassigned: readers see nothing, or something else on each machine."""
_HAN_PLANES = range(0x20000, 0x40000)
"""Reserved for Han characters; this Python may not know the newest."""
_SPACES = re.compile(r"\s+")


class Fault(NamedTuple):
    """Why a text is refused."""

    code: str
    rule: str
    parameters: dict[str, str]


class Place(NamedTuple):
    """A faulty text in a document: the path of keys and indexes, and the fault."""

    path: tuple[str | int, ...]
    fault: Fault


def fault(text: str) -> Fault | None:
    """The fault that no text may have."""
    found = _NEVER.search(text)
    return _refused(found[0]) if found else None


def faults(document: Any) -> Iterator[Place]:
    """The faulty texts and keys of a JSON document."""
    if isinstance(document, str):
        if found := fault(document):
            yield Place((), found)
    elif isinstance(document, dict):
        for key, value in document.items():
            if found := fault(key) or _not_one_line(key):
                yield Place((shown(key),), found)
            yield from (Place((key, *path), inner) for path, inner in faults(value))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from (Place((index, *path), inner) for path, inner in faults(value))


def shown(text: str) -> str:
    """A text as one printable line of at most 100 characters, whatever it contains."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text[:100])


def text_of(text: str) -> str:
    """The written form of a text of any number of lines; an empty one is its own.

    Raises:
        PydanticCustomError: with the fault's code and parameters.
    """
    return _written(text, fault(text) or _nothing_visible(text))


def line_of(text: str) -> str:
    """The written form of a text of one line; raises like `text_of`."""
    return _written(text, fault(text) or _not_one_line(text) or _nothing_visible(text))


def name_of(text: str) -> str:
    """The written form of a name, with single spaces; raises like `text_of`."""
    wrong = fault(text) or _not_one_line(text) or _unseen(text) or _without_letter(text)
    return _SPACES.sub(" ", _written(text, wrong)).strip()


TEXT = AfterValidator(text_of)
LINE = AfterValidator(line_of)
NAME = AfterValidator(name_of)


def _written(text: str, wrong: Fault | None) -> str:
    if wrong:
        raise PydanticCustomError(wrong.code, wrong.rule, wrong.parameters)
    return unicodedata.normalize("NFC", text)


def _refused(character: str) -> Fault:
    rule = "must not contain the character {character}"
    return Fault("character_not_allowed", rule, {"character": f"U+{ord(character):04X}"})


def _not_one_line(text: str) -> Fault | None:
    found = _BREAKS.search(text)
    return _refused(found[0]) if found else None


def _unseen(text: str) -> Fault | None:
    for character in text:
        hidden = unicodedata.category(character) in _HIDDEN and ord(character) not in _HAN_PLANES
        if hidden or _BLANK.match(character):
            return _refused(character)
    return None


def _nothing_visible(text: str) -> Fault | None:
    if not text or any(_is_visible(one) for one in text):
        return None
    return Fault("nothing_visible", "must contain a visible character", {})


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ" and not _BLANK.match(character)


def _without_letter(text: str) -> Fault | None:
    if any(one.isalnum() or ord(one) in _HAN_PLANES for one in text):
        return None
    return Fault("no_letter", "must contain a letter or a digit", {})
