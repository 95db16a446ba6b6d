"""Wires the context that governs models and rules."""

from __future__ import annotations

from creditmesh.decisions.bootstrap import champions, decision_log, stored_models
from creditmesh.decisions.serving.model_signature import kms_sign
from creditmesh.governance.labels import Labels
from creditmesh.governance.learning import Learning
from creditmesh.governance.outcomes import Decided
from creditmesh.governance.registry import ModelRegistry
from creditmesh.governance.rules import RuleWorkbench
from creditmesh.governance.shadows import ShadowScores
from creditmesh.governance.simulation import Simulations, SimulationStore
from creditmesh.governance.statistics import Statistics
from creditmesh.governance.store import ModelStore
from creditmesh.governance.watch import DriftWatch
from creditmesh.intake.model import Outcome
from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.settings import settings


@singleton
def model_registry() -> ModelRegistry:
    own = platform()
    store = ModelStore(own.tables, settings().models_table, own.artefacts, own.clock)
    sign = kms_sign(own.client("kms"), settings().model_signing_key)
    return ModelRegistry(store, stored_models(), sign, shadow_scores().of_challenger, own.clock)


@singleton
def shadow_scores() -> ShadowScores:
    return ShadowScores(platform().tables, settings().shadow_scores_table)


@singleton
def labels() -> Labels:
    def decision_of(application_id: str) -> Decided:
        from creditmesh.decisions.bootstrap import assessment
        from creditmesh.intake.bootstrap import applications

        application = applications().get(application_id)
        if application.outcome is not Outcome.DISBURSED:
            raise InvalidInput("must be a loan that was disbursed", field="application_id", fault="not_disbursed")
        report = assessment().report(application)
        result = report["result"]
        return Decided(decided_on=report["rules_of"], model_hash=result["model_hash"], pd_ppm=result["pd_ppm"])

    return Labels(platform().tables, settings().outcome_labels_table, decision_of, platform().clock)


@singleton
def learning() -> Learning:
    return Learning(platform().data, labels(), model_registry, platform().process(settings().training_arn))


@singleton
def drift_watch() -> DriftWatch:
    own = platform()
    return DriftWatch(
        own.data,
        decision_log(),
        lambda model_id, at: champions()[model_id].of(at),
        labels(),
        model_registry,
        learning,
        own.clock,
    )


@singleton
def rule_workbench() -> RuleWorkbench:
    return RuleWorkbench(model_registry())


@singleton
def rule_statistics() -> Statistics:
    return Statistics(decision_log(), platform().clock)


@singleton
def simulations() -> Simulations:
    store = SimulationStore(platform().tables, settings().models_table, platform().data)
    return Simulations(model_registry(), decision_log(), store, platform().clock)
