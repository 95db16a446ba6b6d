"""How each source's outer form becomes third information: by JMESPath alone, as the interface's page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jmespath

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "institutions.md"


def rule(kind: str) -> str:
    """The expression that the interface's page gives for a kind."""
    found = re.search(rf"<!-- structure: {kind} -->\n```\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert found, kind
    return found[1]


def structured(kind: str, raw: Any) -> Any:
    """Third information out of the (parsed) raw answer."""
    return jmespath.search(rule(kind), raw)
