"""Interfaces of authorisations for other contexts; `service`, `redirects` and `monitoring` implement them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from creditmesh.authorization.flow import Flow, Link
from creditmesh.authorization.model import Authorization
from creditmesh.authorization.scopes import TAX, Scope
from creditmesh.platform.tables import Write


class Rights(Protocol):
    """A tenant's authorisations of one firm at one point in time."""

    def usable(self, scope: str, purpose: str) -> Authorization: ...


class Grants(Protocol):
    """Using authorisations to read a firm's data at its sources."""

    def rights(self, taxpayer_id: str, *, tenant: str) -> Rights: ...

    def stands(self, authorization: Authorization) -> bool: ...

    def use(self, authorization: Authorization, *, purpose: str, by: str, channel: str) -> None: ...

    def refuse(self, authorization: Authorization, reason: str) -> None: ...


class Logins(Protocol):
    """Sends a borrower to a source and recognises the return."""

    def begin(self, application_id: str, taxpayer_id: str, tenant: str, scope: Scope, *, in_browser: bool) -> Link: ...

    def named_by(self, state: str) -> Flow: ...


class Monitoring(Protocol):
    """Watches the rights of disbursed loans."""

    def beginning(self, taxpayer_id: str, loan_id: str, *, tenant: str, lender_id: str) -> list[Write]: ...

    def begun(self, taxpayer_id: str, *, tenant: str) -> None: ...


class SourceFields(Protocol):
    """What sources want with a right; implemented by the gateway."""

    def required(self, scope: str) -> set[str]: ...

    def check(self, scope: str, given: Mapping[str, str]) -> dict[str, str]: ...


class Asking(Protocol):
    """Asks a borrower for the missing authorisation."""

    @property
    def redirects(self) -> Logins: ...

    def problem(self, taxpayer_id: str, scope: str = TAX, *, tenant: str) -> str | None: ...

    def is_watched(self, taxpayer_id: str, scope: str = TAX, *, tenant: str) -> bool: ...

    def was_brought(self, taxpayer_id: str, code: str, *, tenant: str) -> bool: ...

    def take(
        self,
        taxpayer_id: str,
        code: str,
        expires_at: str,
        granted_by: str,
        *,
        tenant: str,
        flow: Flow | None = None,
        fields: Mapping[str, str] = ...,
        first: bool = False,
    ) -> Authorization: ...
