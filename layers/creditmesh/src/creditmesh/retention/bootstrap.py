"""Wires the context of retention."""

from __future__ import annotations

from creditmesh.closing.store import ClosingStore
from creditmesh.decisions.log import DecisionLog
from creditmesh.gateway.store import KeyDataStore
from creditmesh.intake.model import Application
from creditmesh.intake.store import ApplicationStore
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.country import Kind, country_of
from creditmesh.platform.settings import settings
from creditmesh.retention.ports import Eraser
from creditmesh.retention.service import Retention


@singleton
def retention() -> Retention:
    own, names = platform(), settings()
    applications = ApplicationStore(own.tables, names.applications_table, own.cipher, own.clock)
    closings = ClosingStore(own.tables, names.closings_table, own.data)
    decisions, evidence = DecisionLog(own.tables, names.decisions_table, own.clock), KeyDataStore(own.data)

    def erase_decision(application: Application) -> None:
        if application.report_key:
            own.data.delete(application.report_key)
        if risk := application.risk:
            decisions.remove(risk.model_id, risk.decided_at, application.application_id)

    def erase_tasks(application: Application) -> None:
        tasks = own.tables.query(
            names.operator_tasks_table, "application_id", application.application_id, index="by-application",
            fields=("task_id",),
        )  # fmt: skip
        for task in list(tasks):
            own.tables.delete(names.operator_tasks_table, {"task_id": task["task_id"]})

    def drop(table: str, application: Application) -> None:
        own.tables.delete(table, {"application_id": application.application_id})

    def erase_application(application: Application) -> None:
        """With all that it names, since another kind may be behind; last the application itself, which names it."""
        for erase in parts.values():
            erase(application)
        drop(names.offers_table, application)
        closings.erase(application.application_id)
        applications.erase(application.application_id)

    parts: dict[Kind, Eraser] = {
        Kind.RAW_ANSWERS: lambda one: evidence.erase_raw(one.application_id),
        Kind.KEY_DATA: lambda one: evidence.erase(one.application_id),
        Kind.DECISION: erase_decision,
        Kind.OPERATOR_TASKS: erase_tasks,
        Kind.LOAN_LABELS: lambda one: drop(names.outcome_labels_table, one),
    }
    erasers = {**parts, Kind.APPLICATION: erase_application}
    return Retention(applications, erasers, country_of(names.country), own.data, own.clock)
