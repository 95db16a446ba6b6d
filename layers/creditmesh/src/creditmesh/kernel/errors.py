"""Base classes of the errors of use cases.

Contexts derive their own. Which HTTP answer a class becomes is decided in one place (`platform/web.py`), never by text.
State machines catch them by class name, so the names are part of the processes' contract.
"""

from __future__ import annotations


class DomainError(Exception):
    """A business rule was broken."""

    code = "domain_error"
    """Stable, machine-readable name; part of the API's contract."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidInput(DomainError):
    """A value breaks a rule; `field` names the value, the message the rule."""

    code = "invalid_input"


class NotFound(DomainError):
    """The object does not exist, or is not visible to the caller."""

    code = "not_found"


class Forbidden(DomainError):
    """The caller's role does not allow this."""

    code = "forbidden"


class Conflict(DomainError):
    """The object is not in a state that allows this."""

    code = "conflict"


class Unavailable(DomainError):
    """Something outside did not answer as expected; a retry may help."""

    code = "unavailable"


class KeyReused(InvalidInput):
    """An Idempotency-Key was reused for another request."""

    code = "idempotency_key_reused"
