"""Wires the context of authorisations."""

from __future__ import annotations

from creditmesh.authorization.changes import Changes
from creditmesh.authorization.endings import FollowUp
from creditmesh.authorization.expiry import ExpirySweep
from creditmesh.authorization.monitoring import LoanMonitoring
from creditmesh.authorization.redirects import Redirects
from creditmesh.authorization.revocations import Revocations
from creditmesh.authorization.rotation import FirmMoves
from creditmesh.authorization.service import Authorizations
from creditmesh.authorization.store import AuthorizationStore
from creditmesh.authorization.watches import Watches
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.country import Kind, country_of
from creditmesh.platform.observability import logger
from creditmesh.platform.settings import settings


@singleton
def authorization_store() -> AuthorizationStore:
    names = settings().authorizations_table, settings().consent_records_table
    keep_days = country_of(settings().country).retention[Kind.CONSENTS].without_loan_days
    return AuthorizationStore(platform().tables, *names, platform().cipher, keep_days)


@singleton
def redirects() -> Redirects:
    own = platform()
    return_url = f"{own.parameter(settings().public_url_parameter)}/v1/authorizations/return"
    return Redirects(
        own.tables, settings().authorization_flows_table, own.cipher, own.blind_index, own.directory, own.clock,
        own.guest_keys, return_url,
    )  # fmt: skip


@singleton
def watches() -> Watches:
    return Watches(platform().tables, settings().watches_table, authorization_store(), platform().clock)


@singleton
def loan_monitoring() -> LoanMonitoring:
    return LoanMonitoring(authorization_store(), watches(), platform().blind_index)


@singleton
def revocations() -> Revocations:
    return Revocations(platform().outbox, authorization_store(), platform().directory, platform().clock)


@singleton
def consent_follow_up() -> FollowUp:
    def on_ended(_taxpayer_index: str, _scope: str, authorization_id: str) -> None:
        from creditmesh.gateway.bootstrap import answer_cache

        answer_cache().erase(authorization_id)

    def on_granted(taxpayer_index: str, tenant: str) -> None:
        from creditmesh.intake.bootstrap import waiting_applications

        waiting_applications().granted(taxpayer_index, tenant)

    return FollowUp(authorization_store(), watches(), on_ended, on_granted, platform().clock)


@singleton
def expiry_sweep() -> ExpirySweep:
    return ExpirySweep(authorization_store(), watches(), consent_follow_up(), platform().clock)


@singleton
def authorizations() -> Authorizations:
    from creditmesh.gateway.bootstrap import consent_fields

    store, own = authorization_store(), platform()
    changes = Changes(store, revocations(), consent_follow_up(), own.clock)
    return Authorizations(
        store, changes, redirects(), watches(), consent_fields(), own.blind_index, own.clock, logger.get_correlation_id
    )  # fmt: skip


@singleton
def firm_moves() -> FirmMoves:
    own, names = platform(), settings()
    return FirmMoves(
        own.tables, own.cipher, own.blind_index, watches().reconcile,
        authorizations=names.authorizations_table, watches=names.watches_table, records=names.consent_records_table,
        outbox=names.outbox_table, flows=names.authorization_flows_table,
    )  # fmt: skip
