"""Base classes of the errors of use cases.

Contexts derive their own. Which HTTP answer a class becomes is decided in one place (`platform/web.py`), never by text.
State machines catch them by class name, so the names are part of the processes' contract.
"""

from __future__ import annotations

from collections.abc import Mapping

Parameter = str | int | list[str]
"""What a sentence names; of several things a list."""


def said(sentence: str, parameters: Mapping[str, Parameter]) -> str:
    """A sentence with its parameters in place of their names in braces."""
    if not parameters:
        return sentence
    return sentence.format(
        **{name: ", ".join(value) if isinstance(value, list) else value for name, value in parameters.items()}
    )


class DomainError(Exception):
    """A business rule was broken."""

    code = "domain_error"
    """Stable, machine-readable name; part of the API's contract."""

    def __init__(self, message: str, *, field: str | None = None, **parameters: Parameter) -> None:
        """Take the sentence that clients see, and what they need to say it in another language.

        Args:
            message: names its parameters, if any, in braces.
            field: path of the value at fault.
        """
        self.message = said(message, parameters)
        self.field, self.parameters = field, parameters
        super().__init__(self.message)


class InvalidInput(DomainError):
    """A value breaks a rule; `field` names the value, the message the rule."""

    code = "invalid_input"

    def __init__(
        self, message: str, *, field: str | None = None, fault: str | None = None, **parameters: Parameter
    ) -> None:
        """Take `fault`, the code of the broken rule, beside the sentence."""
        super().__init__(message, field=field, **parameters)
        self.fault = fault or self.code


class NotFound(DomainError):
    """The object does not exist, or is not visible to the caller."""

    code = "not_found"


class Forbidden(DomainError):
    """The caller's role does not allow this."""

    code = "forbidden"


class SamePerson(Forbidden):
    """Two persons are needed, and who asked cannot confirm."""

    code = "four_eyes"


class Conflict(DomainError):
    """The object is not in a state that allows this."""

    code = "conflict"


class Unavailable(DomainError):
    """Something outside did not answer as expected; a retry may help."""

    code = "unavailable"


class KeyReused(InvalidInput):
    """An Idempotency-Key was reused for another request."""

    code = "idempotency_key_reused"
