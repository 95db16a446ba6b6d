"""Monitoring of loans: the rights that a disbursed loan rests on are watched from its disbursement on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditmesh.authorization.scopes import SCOPES, Purpose
from creditmesh.authorization.store import AuthorizationStore
from creditmesh.authorization.watches import Watches
from creditmesh.platform.tables import Write

if TYPE_CHECKING:
    from creditmesh.platform.blind_index import BlindIndex


class LoanMonitoring:
    """Watches loans' rights."""

    def __init__(self, store: AuthorizationStore, watches: Watches, index: BlindIndex) -> None:
        self._store, self._watches, self._index = store, watches, index

    def beginning(self, taxpayer_id: str, loan_id: str, *, tenant: str, lender_id: str) -> list[Write]:
        """The writes that start watching, for the transaction of the disbursement; `begun` follows.

        Watched are the rights for monitoring that the firm must grant or has granted, ended ones included.
        """
        index = self._store.index_of(self._index, taxpayer_id)
        granted = {one.scope for one in self._store.all_of(index) if one.tenant == tenant}
        return [
            self._watches.beginning(index, scope.name, loan_id, tenant=tenant, lender_id=lender_id)
            for scope in SCOPES.values()
            if Purpose.MONITORING in scope.purposes and (scope.required or scope.name in granted)
        ]

    def begun(self, taxpayer_id: str, *, tenant: str) -> None:
        """Mark the blind spots of what ended before, or while, watching began. Idempotent."""
        self._watches.reconcile_all(self._store.index_of(self._index, taxpayer_id), tenant)
