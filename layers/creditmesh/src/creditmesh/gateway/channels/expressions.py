"""JMESPath over exact numbers: decimals are numbers as integers are, and nothing becomes a float."""

# The types of jmespath leave out what its subclasses need.
# mypy: disable-error-code="attr-defined, misc"

from __future__ import annotations

import re
from decimal import Decimal, Inexact, localcontext
from functools import lru_cache
from typing import Any

from jmespath.exceptions import JMESPathError, LexerError, ParseError
from jmespath.functions import Functions, signature
from jmespath.lexer import Lexer
from jmespath.parser import ParsedResult, Parser
from jmespath.visitor import Options

from creditmesh.gateway.channels import exact_json

_SUM_DIGITS = 4 * exact_json.MOST_DIGITS
"""Enough for any sum of an answer's numbers."""
_AVERAGE_DIGITS = 40
"""Significant digits of an average whose digits have no end."""
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(rf"{_INTEGER.pattern}(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


@lru_cache(maxsize=512)
def compiled(expression: str) -> ParsedResult:
    """A parsed expression.

    Raises:
        JMESPathError: not an expression.
    """
    made: ParsedResult = _Parser()._do_parse(expression)  # `parse` would look into a cache of rules over floats
    return made


def search(expression: str, document: Any) -> Any:
    """The result of an expression; None if it does not fit the document."""
    try:
        with localcontext(prec=_SUM_DIGITS) as exact:
            exact.traps[Inexact] = True
            return compiled(expression).search(document, _OPTIONS)
    except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError):
        return None


class _Lexer(Lexer):
    """Reads literals exactly."""

    def _consume_literal(self) -> dict[str, Any]:
        start = self._position
        token: dict[str, Any] = super()._consume_literal()
        end = self._position if self._current is None else self._position - 1
        written = self._expression[start + 1 : end].replace("\\`", "`")
        try:
            token["value"] = exact_json.parsed(written)
        except ValueError as fault:
            if not isinstance(token["value"], str):  # a text without quotes, which is deprecated
                raise LexerError(start, written, f"the literal {fault}") from None
        return token


class _Parser(Parser):
    def _parse(self, expression: str) -> ParsedResult:
        """As the base, with our lexer."""
        self._tokens = list(_Lexer().tokenize(expression))
        self._index = 0
        found = self._expression(binding_power=0)
        if self._current_token() != "eof":
            token = self._lookahead_token(0)
            raise ParseError(token["start"], token["value"], token["type"], f"Unexpected token: {token['value']}")
        return ParsedResult(expression, found)


class _Functions(Functions):
    """The functions of JMESPath, for which a decimal is a number."""

    def _get_allowed_pytypes(self, types: list[str]) -> tuple[list[str], list[tuple[str, ...]]]:
        allowed, inside = super()._get_allowed_pytypes(types)
        return [*_with_decimal(allowed)], [_with_decimal(names) for names in inside]

    def _convert_to_jmespath_type(self, pyobject: str) -> str:
        return "number" if pyobject == "Decimal" else super()._convert_to_jmespath_type(pyobject)

    @signature({"types": ["array-number"]})
    def _func_avg(self, arg: list[Any]) -> Decimal | None:
        if not arg:
            return None
        total = sum(arg, Decimal())
        try:
            return total / len(arg)
        except Inexact:
            with localcontext(prec=_AVERAGE_DIGITS) as rounding:
                rounding.traps[Inexact] = False
                return total / len(arg)

    @signature({"types": []})
    def _func_to_string(self, arg: Any) -> str:
        return arg if isinstance(arg, str) else exact_json.dumped(arg)

    @signature({"types": []})
    def _func_to_number(self, arg: Any) -> Any:
        """Of a text, the number of JSON that it is."""
        if isinstance(arg, str) and _NUMBER.fullmatch(arg):
            return int(arg) if _INTEGER.fullmatch(arg) else exact_json.number(arg)
        return arg if isinstance(arg, int | float | Decimal) and not isinstance(arg, bool) else None

    @signature({"types": []})
    def _func_type(self, arg: Any) -> str:
        return self._convert_to_jmespath_type(type(arg).__name__)


def _with_decimal(names: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (*names, "Decimal") if "int" in names else (*names,)


_OPTIONS = Options(custom_functions=_Functions())
