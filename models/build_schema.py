"""The artefact's JSON Schema: ``python -m models.build_schema > models/artefact.schema.json``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from creditmesh.governance.document.artefact import ArtefactDocument
from creditmesh.risk.document import INT64_MAX, INT64_MIN
from creditmesh.risk.expression import COMPARISONS, MAX_ITEMS
from models.parts import laid_out


class _Untitled(GenerateJsonSchema):
    """Leaves out titles, which would say the names again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """The published JSON Schema of an artefact."""
    # pydantic takes no reference that it did not make itself
    document = json.loads(
        json.dumps(ArtefactDocument.model_json_schema(schema_generator=_Untitled)).replace("$dynamicRef", "$ref")
    )
    document["$defs"]["Condition"] = _condition_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def _condition_schema() -> dict[str, Any]:
    """The grammar of `creditmesh.risk.expression`, but for its types and known features."""
    feature = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$"}
    literal = {"type": ["integer", "string", "boolean"], "maxLength": 200, "minimum": INT64_MIN, "maximum": INT64_MAX}
    variable = {
        "type": "object", "properties": {"var": feature}, "required": ["var"], "additionalProperties": False,
    }  # fmt: skip
    operand = {"anyOf": [literal, variable]}
    condition = {"$ref": "#/$defs/Condition"}

    def some(items: Mapping[str, Any], most: int = MAX_ITEMS) -> dict[str, Any]:
        return {"type": "array", "items": items, "minItems": 1, "maxItems": most}

    def two(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
        return {"type": "array", "prefixItems": [first, second], "items": False, "minItems": 2}

    negation = {"anyOf": [condition, some(condition, 1)]}
    operators = {
        **dict.fromkeys(COMPARISONS, two(operand, operand)),
        "in": two(operand, some(literal)),
        "missing": {"anyOf": [feature, some(feature)]},
        "and": some(condition), "or": some(condition), "!": negation, "not": negation,
    }  # fmt: skip
    return {
        "description": "one operator; true, false or unknown", "type": "object", "properties": operators,
        "additionalProperties": False, "minProperties": 1, "maxProperties": 1,
    }  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(laid_out(schema()) + "\n")
