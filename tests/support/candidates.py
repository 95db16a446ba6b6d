"""Versions of the shipped model for tests: the same decisions but for what is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from creditmesh.risk.artefact import seal
from tests.support.template import ROOT

SHIPPED: dict[str, Any] = json.loads((ROOT / "models" / "origination-2.1.0.json").read_text(encoding="utf-8"))
FIRM: dict[str, Any] = json.loads((ROOT / "models" / "sample-firm.json").read_text(encoding="utf-8"))


def candidate(version: str = "2.2.0", change: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
    """The shipped model under another version, changed and sealed anew."""
    document = {key: deepcopy(value) for key, value in SHIPPED.items() if key not in ("content_hash", "signature")}
    document["version"] = version
    if change:
        change(document)
    return seal(document)


def hash_of(document: dict[str, Any]) -> str:
    """Its content hash."""
    return str(document["content_hash"])


def stricter(document: dict[str, Any]) -> None:
    """Nobody reaches the cut-off any more."""
    document["scorecard"]["cutoff"] = 5_000
    document["scorecard"]["refer_below"] = None
    document["grades"] = [{**grade, "min_score": grade["min_score"] + 10_000} for grade in document["grades"]]
    document["grades"][-1]["min_score"] = 5_000
    document["tests"] = []


def failing_test(document: dict[str, Any]) -> None:
    """A test case that expects what the model does not give."""
    document["tests"][0]["expect"] = {"score": -1}
