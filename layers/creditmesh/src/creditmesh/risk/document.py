"""JSON that has one canonical form, its hash, and values that know their place in it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from creditmesh.risk.errors import ArtefactInvalid

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
SEALS = ("content_hash", "signature")
"""What seals a document, and so is not part of what is sealed."""


def parse_json(text: str) -> Any:
    """Return the JSON value of ``text``; fractions, NaN and repeated keys are errors, since none can be canonical.

    Raises:
        ArtefactInvalid: ``text`` is not such a document.
    """
    try:
        return json.loads(text, parse_float=_refuse, parse_constant=_refuse, object_pairs_hook=_unique)
    except ArtefactInvalid:
        raise
    except (ValueError, RecursionError) as error:
        raise ArtefactInvalid("$", "is one JSON document") from error


def canonical_hash(document: Mapping[str, Any]) -> str:
    """Return ``sha256:<hex>`` over the canonical JSON of ``document`` without its hash and its signature.

    Canonical means UTF-8, keys sorted by code point, no white space, no escapes beyond those JSON demands.
    """
    content = {key: value for key, value in document.items() if key not in SEALS}
    try:
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except RecursionError as error:
        raise ArtefactInvalid("$", "is one JSON document") from error
    return "sha256:" + hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _refuse(literal: str) -> Any:
    raise ArtefactInvalid("$", f"numbers are integers, not {literal}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ArtefactInvalid("$", "no object repeats a key")
    return result


@dataclass(frozen=True)
class Node:
    """One value of a parsed document together with the path to it."""

    value: Any
    path: str = "$"

    def fail(self, rule: str) -> ArtefactInvalid:
        """Return the error that says ``rule`` is broken here."""
        return ArtefactInvalid(self.path, rule)

    def mapping(self) -> dict[str, Node]:
        """Return the object's fields, whatever their names."""
        if not isinstance(self.value, dict):
            raise self.fail("is an object")
        return {key: Node(value, f"{self.path}.{key}") for key, value in self.value.items()}

    def items(self, least: int = 0, most: int = 1000) -> list[Node]:
        """Return the array's items, of which there are ``least`` to ``most``."""
        if not isinstance(self.value, list) or not least <= len(self.value) <= most:
            raise self.fail(f"is an array of {least} to {most} items")
        return [Node(value, f"{self.path}[{index}]") for index, value in enumerate(self.value)]

    def text(self, pattern: str = r"(?s).{1,2000}") -> str:
        """Return the string, which matches ``pattern`` as a whole and can be written as UTF-8."""
        if not isinstance(self.value, str) or not re.fullmatch(pattern, self.value) or not encodable(self.value):
            raise self.fail(f"is a string that matches {pattern}")
        return self.value

    def choice(self, options: Iterable[str]) -> str:
        """Return the string, which is one of ``options``."""
        allowed = list(options)
        if not isinstance(self.value, str) or self.value not in allowed:
            raise self.fail(f"is one of {', '.join(allowed)}")
        return self.value

    def integer(self, least: int = INT64_MIN, most: int = INT64_MAX) -> int:
        """Return the integer, which lies within ``least`` and ``most``."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not least <= self.value <= most:
            raise self.fail(f"is an integer from {least} to {most}")
        return self.value


def encodable(text: str) -> bool:
    """Say whether ``text`` has no lone surrogates, so that every engine sees the same characters."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
