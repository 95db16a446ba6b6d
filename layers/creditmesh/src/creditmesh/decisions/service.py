"""Use cases of an assessment: scoring by Spark or by the fallback, report, decision."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from creditmesh.decisions.log import DecisionLog
from creditmesh.decisions.model import Decision
from creditmesh.decisions.referral import with_referral
from creditmesh.decisions.replay import Replay, replay
from creditmesh.decisions.requests import Inputs, ScoringRequestStore
from creditmesh.decisions.serving.champion import Champion
from creditmesh.decisions.serving.queue import rules_day, unpacked
from creditmesh.intake.model import Application, NameMatch, NotAwaited, Outcome, RiskSummary
from creditmesh.intake.moves import ASSESS, DECLINE
from creditmesh.intake.notes import Note
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import DomainError, NotFound
from creditmesh.kernel.unread import UNREAD
from creditmesh.platform.objects import Objects
from creditmesh.platform.tables import ConditionFailed
from creditmesh.platform.tasks import Tasks
from creditmesh.risk.artefact import Artefact
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.report import build_report

if TYPE_CHECKING:
    from creditmesh.gateway.model import KeyDataDocument
    from creditmesh.intake.ports import Applications


_DECLINES = {
    "blacklist": Outcome.DECLINED_BLACKLIST,
    "admission": Outcome.DECLINED_ADMISSION,
    "score": Outcome.DECLINED_SCORE,
    "price": Outcome.DECLINED_PRICE,
    "index": Outcome.DECLINED_RISK_INDEX,
    "limit": Outcome.DECLINED_LIMIT,
}


NAME_DIFFERS = "name_differs"


class ScoringFailed(DomainError):
    """Spark could not score the request; the fallback evaluator will."""

    code = "scoring_failed"


class Assessment:
    """Scores applications and reports on them.

    Args:
        models: by id: returns the current version, and any by hash.
    """

    def __init__(
        self,
        applications: Applications,
        requests: ScoringRequestStore,
        key_data: Callable[[str], KeyDataDocument],
        reports: Objects,
        models: Mapping[str, Champion],
        tasks: Tasks,
        clock: Clock,
        log: DecisionLog,
    ) -> None:
        self._applications, self._requests, self._key_data = applications, requests, key_data
        self._reports, self._models, self._tasks, self._clock = reports, models, tasks, clock
        self._log = log

    def request(self, application_id: str, token: str, on_spark: Callable[[], bool]) -> None:
        """Pass the application's key data to the resident Spark job, whose result completes the task.

        Args:
            on_spark: whether Spark should score; if not, it is scored here and the task completed at once.
        """
        application = self._applications.get(application_id)
        application.require_open()
        if application.risk is None:
            if on_spark():
                if self._requests.put(application_id, self._inputs(application), token):
                    return
            else:
                self._score(application)
        self._tasks.succeed(token, {})

    def complete(self, request: Mapping[str, Any]) -> None:
        """Complete the task of a request that Spark has answered."""
        if request["state"] == "done":
            self._tasks.succeed(request["task_token"], {"engine": request.get("engine", "spark")})
        elif request["state"] == "failed":
            self._tasks.fail(request["task_token"], ScoringFailed.__name__, "the request could not be scored")

    def score_in_process(self, application_id: str) -> None:
        """Score with the plain evaluator: same artefact and result; the result names the engine."""
        application = self._applications.get(application_id)
        application.require_open()
        self._score(application)

    def _score(self, application: Application) -> None:
        application_id, inputs = application.application_id, self._inputs(application)
        earlier = self._requests.get(application_id)
        on = rules_day(earlier["rules_of"]) if earlier else self._clock.today()
        model = self._models[inputs.model_id]()
        self._requests.answer(application_id, inputs, evaluate(model, inputs.features, on).to_dict(), on)

    def decide(self, application_id: str) -> RiskSummary:
        """Write the report, record the decision and log it; a repeat returns the recorded decision."""
        application, (request,) = self._applications.get_with(application_id, self._requests.ref(application_id))
        if application.risk is None:
            application.require_open()
        if request is None or "result" not in request:
            if application.risk:
                return application.risk
            raise ScoringFailed("the application has not been scored")
        result = json.loads(unpacked(request["result"]))
        # The model that made the result; another may be champion by now.
        model = self._models[result["model_id"]].of(result["model_hash"])
        summary = application.risk or self._recorded(application, request, result, model)
        # After the application's record and with its time, so that a repeat logs the same entry or none.
        self._log.add(Decision.of(application_id, request, result, model, summary.decided_at))
        return summary

    def report(self, application: Application) -> dict[str, Any]:
        """The stored assessment report.

        Raises:
            NotFound: not assessed yet.
        """
        if application.report_key is None:
            raise NotFound("the application has no report yet", field="application_id")
        return dict(self._reports.get_json(application.report_key))

    def replay(self, application: Application) -> Replay:
        """Repeat the decision from its stored inputs.

        Raises:
            NotFound: not assessed yet.
            ModelGone: the model that decided is not available.
        """
        report = self.report(application)
        return replay(application.application_id, report, self._models[report["result"]["model_id"]].of)

    def report_with_referral(self, application: Application) -> dict[str, Any]:
        """The stored report with `referral`: what a person decided.

        Raises:
            NotFound: not assessed yet.
        """
        return with_referral(application, self.report(application))

    def _inputs(self, application: Application) -> Inputs:
        if application.key_data_key is None:
            raise NotAwaited("the application's data has not been collected")
        document = self._key_data(application.key_data_key)
        sources = [source.model_dump(mode="json", exclude={"raw_keys"}) for source in document.sources]
        unread = {UNREAD: document.unread} if document.unread else {}
        return Inputs(application.required_flow().model_id, {**document.features, **unread}, sources)

    def _report(
        self,
        application: Application,
        request: Mapping[str, Any],
        result: dict[str, Any],
        model: Artefact,
        summary: RiskSummary,
    ) -> dict[str, Any]:
        requested = {
            "amount": str(application.requested()),
            "currency": application.currency,
            "term_months": application.term_months,
        }
        return build_report(
            application_id=application.application_id,
            firm_name=application.firm_name,
            requested=requested,
            risk_result=result,
            artefact=model,
            features=json.loads(unpacked(request["features"])),
            sources=json.loads(unpacked(request["sources"])),
            engine=request["engine"],
            decided_at=summary.decided_at,
            rules_of=rules_day(request["rules_of"]),
            referred_for=[reason for reason in summary.reasons if reason not in result["reasons"]],
        )

    def _recorded(
        self, application: Application, request: Mapping[str, Any], result: dict[str, Any], model: Artefact
    ) -> RiskSummary:
        """Write the report and move the application; returns the recorded decision."""
        application_id, now = application.application_id, self._clock.now()
        summary = _summary(result, request["engine"], iso(now), application.name_match)
        # By day, for readers of many decisions (simulations, drift, training).
        key = f"reports/on={self._clock.day_of(now)}/{application_id}.json"
        self._reports.put_json(key, self._report(application, request, result, model, summary))
        risk = summary.model_dump(exclude_none=True)
        if summary.decision != "decline":  # a referral goes to a person, with the limit as a proposal
            write = self._applications.move(application_id, ASSESS, risk=risk, report_key=key)
        else:
            write = self._applications.move(
                application_id, DECLINE, outcome=_DECLINES[summary.stage], risk=risk, report_key=key,
                note=Note.of("declined_for", reasons=summary.reasons),
            )  # fmt: skip
        try:
            self._applications.apply(replace(write, absent=("risk",)))
        except ConditionFailed:  # recorded by an earlier attempt
            recorded = self._applications.get(application_id).risk
            if recorded is None:
                raise
            return recorded
        return summary


def _summary(result: Mapping[str, Any], engine: str, decided_at: str, name_match: NameMatch | None) -> RiskSummary:
    """The result as recorded; what the model approves under another firm's name is referred."""
    referred = result["decision"] == "approve" and name_match is NameMatch.VERY_DIFFERENT
    return RiskSummary(
        decision="refer" if referred else result["decision"],
        stage=result["stage"],
        score=result["score"],
        grade=result["grade"],
        limit_minor=result["limit_minor"],
        annual_rate_bps=result["annual_rate_bps"],
        reasons=[*result["reasons"], *([NAME_DIFFERS] if referred else [])],
        engine=engine,
        model_id=result["model_id"],
        model_version=result["model_version"],
        model_hash=result["model_hash"],
        decided_at=decided_at,
    )
