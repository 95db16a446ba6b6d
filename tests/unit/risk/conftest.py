"""The shipped model and a made-up firm that it approves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from creditmesh.risk.artefact import Artefact, load

MODELS = Path(__file__).parents[3] / "models"


@pytest.fixture
def document() -> dict[str, Any]:
    """The shipped artefact's document, fresh for each test to spoil."""
    text: dict[str, Any] = json.loads((MODELS / "origination-2.1.0.json").read_text(encoding="utf-8"))
    return text


@pytest.fixture(scope="session")
def origination() -> Artefact:
    """The shipped artefact."""
    return load((MODELS / "origination-2.1.0.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def good_firm() -> dict[str, Any]:
    """A made-up firm that the shipped model approves."""
    firm: dict[str, Any] = json.loads((MODELS / "sample-firm.json").read_text(encoding="utf-8"))
    return firm
