"""Canonical JSON, its hash, and parsed values that know their path."""

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
"""Fields of the seal, which are not part of the sealed content."""


def model_id_of(key: str) -> str:
    """The model's id in a shipped object's key, `models/<model id>-<version>.json`."""
    return key.rpartition("/")[2].rpartition("-")[0]


def parse_json(text: str) -> Any:
    """Return the JSON value of ``text``. Fractions, NaN and repeated keys are errors, as they have no canonical form.

    Raises:
        ArtefactInvalid: ``text`` is not such a document.
    """
    try:
        return json.loads(text, parse_float=_refuse, parse_constant=_refuse, object_pairs_hook=_unique)
    except ArtefactInvalid:
        raise
    except (ValueError, RecursionError) as error:
        raise ArtefactInvalid("$", "must be one JSON document") from error


def canonical_hash(document: Mapping[str, Any]) -> str:
    """Return ``sha256:<hex>`` of the canonical JSON of ``document`` without hash and signature.

    Canonical: UTF-8, keys sorted by code point, no white space, no escapes beyond those that JSON requires.
    """
    content = {key: value for key, value in document.items() if key not in SEALS}
    try:
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except RecursionError as error:
        raise ArtefactInvalid("$", "must be one JSON document") from error
    return "sha256:" + hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _refuse(literal: str) -> Any:
    raise ArtefactInvalid("$", f"numbers must be integers, not {literal}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ArtefactInvalid("$", "an object must not repeat a key")
    return result


@dataclass(frozen=True)
class Node:
    """A value of a parsed document and the path to it."""

    value: Any
    path: str = "$"

    def fail(self, rule: str) -> ArtefactInvalid:
        return ArtefactInvalid(self.path, rule)

    def mapping(self) -> dict[str, Node]:
        if not isinstance(self.value, dict):
            raise self.fail("must be an object")
        return {key: Node(value, f"{self.path}.{key}") for key, value in self.value.items()}

    def items(self, least: int = 0, most: int = 1000) -> list[Node]:
        if not isinstance(self.value, list) or not least <= len(self.value) <= most:
            raise self.fail(f"must be an array of {least} to {most} items")
        return [Node(value, f"{self.path}[{index}]") for index, value in enumerate(self.value)]

    def text(self, pattern: str = r"(?s).{1,2000}") -> str:
        """Return the string, which must match ``pattern`` as a whole and be valid UTF-8."""
        if not isinstance(self.value, str) or not re.fullmatch(pattern, self.value) or not encodable(self.value):
            raise self.fail(f"must be a string that matches {pattern}")
        return self.value

    def choice(self, options: Iterable[str]) -> str:
        allowed = list(options)
        if not isinstance(self.value, str) or self.value not in allowed:
            raise self.fail(f"must be one of {', '.join(allowed)}")
        return self.value

    def integer(self, least: int = INT64_MIN, most: int = INT64_MAX) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not least <= self.value <= most:
            raise self.fail(f"must be an integer from {least} to {most}")
        return self.value


def encodable(text: str) -> bool:
    """Whether ``text`` has no lone surrogates, so that every engine sees the same characters."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
