"""The errors a use case may raise.

A context derives its own from these; which HTTP answer each becomes is decided in one place (`functions/api`), by
class and never by text. A state machine catches them by class name, so the names are part of the processes' contract.
"""

from __future__ import annotations


class DomainError(Exception):
    """A rule of the business said no."""

    code = "domain_error"
    """Stable, machine-readable name; part of the API's contract."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidInput(DomainError):
    """A value breaks a rule; `field` names where, the message names the rule."""

    code = "invalid_input"


class NotFound(DomainError):
    """The thing does not exist, or is not the caller's to see."""

    code = "not_found"


class Forbidden(DomainError):
    """The caller's role does not allow this act."""

    code = "forbidden"


class Conflict(DomainError):
    """The thing is not in a state that allows this act."""

    code = "conflict"


class Unavailable(DomainError):
    """Something outside did not answer as it should; trying again later may help."""

    code = "unavailable"


class KeyReused(InvalidInput):
    """An Idempotency-Key came again with another request."""

    code = "idempotency_key_reused"
