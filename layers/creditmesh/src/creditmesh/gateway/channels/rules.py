"""Validation of a channel document's texts: names, expressions, schemas, patterns, charsets, placeholders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

import jsonschema_rs
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import SchemaError

from creditmesh.gateway.channels.exact_json import HALF_CHARACTER
from creditmesh.gateway.channels.expressions import compiled
from creditmesh.kernel.charsets import label_of

LONGEST_RULE = 4_000
MOST_BRACKETS = 200
PLACEHOLDER = re.compile(r"\{\{\s*([a-z][a-z0-9_]{0,63})\s*\}\}")
_BRACES = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"})
"""Headers that control routing and framing; documents must not set them."""
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})
"""Headers that carry secrets, which documents only reference."""


def validator(schema: Mapping[str, Any]) -> Any:
    """A compiled JSON Schema; it must not refer to anything outside itself.

    Raises:
        ValueError: not a JSON Schema, or with external references.
    """
    return jsonschema_rs.validator_for(dict(schema), retriever=_nothing_outside)


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches the whole text, in time linear in its length."""
    try:
        _matcher(pattern).validate_python(text)
    except ValidationError:
        return False
    return True


def placeholders(template: Any) -> set[str]:
    """The names that the templates in a value refer to.

    Raises:
        ValueError: something in double braces is not a name.
    """
    if isinstance(template, BaseModel):
        template = template.model_dump()
    if isinstance(template, Mapping):
        return set().union(*(placeholders(one) for one in template.values()))
    if isinstance(template, Sequence) and not isinstance(template, str):
        return set().union(*(placeholders(one) for one in template))
    if not isinstance(template, str):
        return set()
    if "{{" in _BRACES.sub("", template):
        raise ValueError("a placeholder is not closed")
    for found in _BRACES.finditer(template):
        if not PLACEHOLDER.fullmatch(found[0]):
            raise ValueError(f"{found[0][:80]} is not a placeholder: lower-case letters, digits and _ only")
    return set(PLACEHOLDER.findall(template))


def _nothing_outside(uri: str) -> Any:
    # Otherwise the validator would fetch whatever a document names, from the network or from disk.
    raise ValueError(f"may not refer to {uri[:80]}")


def _rule(text: str) -> str:
    # The parser recurses per bracket, so its limit would depend on the caller's stack.
    if text.count("(") + text.count("[") + text.count("{") > MOST_BRACKETS:
        raise ValueError("is not a JMESPath expression: nested too deeply")
    if HALF_CHARACTER.search(text):
        raise ValueError("is not a JMESPath expression: write characters beyond U+FFFF as themselves")
    try:
        compiled(text)
    except JMESPathError as error:
        raise ValueError(f"is not a JMESPath expression: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ValueError("is not a JMESPath expression: nested too deeply") from None
    return text


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    try:
        validator(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise ValueError(f"is not a JSON Schema: {str(error).splitlines()[0]}") from None
    return schema


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> TypeAdapter[str]:
    return TypeAdapter(Annotated[str, Field(pattern=rf"^(?:{pattern})$")])


def _pattern(text: str) -> str:
    try:
        TypeAdapter(Annotated[str, Field(pattern=text)])
        _matcher(text)
    except SchemaError:
        raise ValueError("is not a regular expression") from None
    return text


def _own_header(name: str) -> str:
    if name in _OURS:
        raise ValueError(f"{name} is set by the platform")
    return name


def _plain_header(name: str) -> str:
    if name in _SECRET:
        raise ValueError(f"{name} carries a secret, which only authentication may send")
    return _own_header(name)


def _path(path: str) -> str:
    if any(segment in (".", "..") for segment in path.split("/")):
        raise ValueError("may have no segments . or ..")
    return path


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,63}$")]
Expression = Annotated[str, Field(min_length=1, max_length=LONGEST_RULE), AfterValidator(_rule)]
Pattern = Annotated[str, Field(max_length=200), AfterValidator(_pattern)]
SchemaDocument = Annotated[dict[str, Any], AfterValidator(_schema)]
Charset = Annotated[str, Field(max_length=40), AfterValidator(label_of)]
SecretHeader = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$"), AfterValidator(_own_header)]
PlainHeader = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$"), AfterValidator(_plain_header)]
Template = Annotated[str, Field(max_length=20_000)]
Path = Annotated[str, Field(pattern=r"^/[^\s?#]{0,500}$"), AfterValidator(_path)]
