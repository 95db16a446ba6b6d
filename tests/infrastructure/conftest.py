"""The template, as written and as SAM hands it on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import template


@pytest.fixture(scope="session")
def source() -> dict[str, Any]:
    """The template as written."""
    return template.source()


@pytest.fixture(scope="session")
def transformed() -> dict[str, Any]:
    """The template as CloudFormation gets it."""
    return template.transformed()
