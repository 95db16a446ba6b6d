"""Wires the context of applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditmesh.intake.operators import OperatorQueue
from creditmesh.intake.service import Intake
from creditmesh.intake.store import ApplicationStore
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.documents import CheckedDocuments
from creditmesh.platform.settings import settings

if TYPE_CHECKING:  # one function or another needs each
    from creditmesh.intake.assigning import FlowAssignments
    from creditmesh.intake.collecting import Collecting
    from creditmesh.intake.counts import ApplicationCounts
    from creditmesh.intake.flows import Flows
    from creditmesh.intake.recovery import Recovery
    from creditmesh.intake.search import ApplicationLists
    from creditmesh.intake.waiting import WaitingApplications


@singleton
def applications() -> ApplicationStore:
    return ApplicationStore(platform().tables, settings().applications_table, platform().cipher, platform().clock)


@singleton
def application_counts() -> ApplicationCounts:
    from creditmesh.intake.counts import ApplicationCounts

    own = settings()
    return ApplicationCounts(
        platform().tables, own.application_counts_table, own.applications_table, platform().clock
    )  # fmt: skip


@singleton
def application_lists() -> ApplicationLists:
    from creditmesh.intake.search import ApplicationLists

    return ApplicationLists(platform().tables, settings().applications_table, platform().blind_index)


@singleton
def intake() -> Intake:
    from creditmesh.authorization.bootstrap import authorizations
    from creditmesh.gateway.bootstrap import channels

    own = platform()
    return Intake(
        applications(), authorizations(), own.tasks, own.waits, own.blind_index, own.clock, channels().requires,
        flows().taken,
    )  # fmt: skip


@singleton
def flows() -> Flows:
    from creditmesh.gateway.bootstrap import channels
    from creditmesh.intake.flows import Flows
    from creditmesh.risk.document import model_id_of

    own = platform()
    documents = CheckedDocuments(own.tables, settings().documents_table, "flow", own.clock)
    return Flows(documents, [model_id_of(key) for key in settings().shipped_models], channels().has_plan, own.clock)


@singleton
def flow_assignments() -> FlowAssignments:
    from creditmesh.intake.assigning import FlowAssignments

    own = platform()
    return FlowAssignments(applications(), operators(), own.tasks, own.waits)


@singleton
def waiting_applications() -> WaitingApplications:
    from creditmesh.intake.waiting import WaitingApplications

    return WaitingApplications(applications(), platform().waits)


@singleton
def recovery() -> Recovery:
    from creditmesh.intake.recovery import Recovery

    return Recovery(applications(), platform().tasks, platform().waits, platform().clock)


@singleton
def operators() -> OperatorQueue:
    own = platform()
    return OperatorQueue(own.tables, settings().operator_tasks_table, applications(), own.waits, own.clock)


@singleton
def collecting() -> Collecting:
    from creditmesh.gateway.bootstrap import collections
    from creditmesh.intake.collecting import Collecting
    from creditmesh.screening.bootstrap import lists
    from creditmesh.screening.likeness import likeness_bps

    return Collecting(applications(), lists().screen, collections(), likeness_bps)
