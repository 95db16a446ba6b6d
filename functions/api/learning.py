"""The learning loop: outcomes of loans, training runs, drift."""

from __future__ import annotations

from chalice.app import Blueprint
from pydantic import Field

from api.model_schemas import READING
from api.roles import OPERATORS, RISK_OFFICERS
from api.routing import Call, Key, route
from api.schemas import In, Out
from creditmesh.governance.bootstrap import drift_watch, labels, learning
from creditmesh.governance.labels import RecordedMeanwhile
from creditmesh.governance.learning import AlreadyStarted
from creditmesh.governance.outcomes import Label, LabelValue, Observation
from creditmesh.governance.watch import DriftReport
from creditmesh.kernel.caller import STAFF
from creditmesh.kernel.dates import Day
from creditmesh.kernel.errors import NotFound

blueprint = Blueprint(__name__)


class OutcomeMonth(In):
    """Which month's labels are counted."""

    month: str = Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="in which the applications were decided")


class OutcomeCounts(Out):
    """How many loans decided in a month have which label."""

    month: str
    labels: dict[LabelValue, int]


class TrainingRequest(In):
    """What a training run learns from."""

    training_set: str | None = Field(
        default=None, max_length=300, description="a folder below training-sets/; the platform's own labels otherwise"
    )


class TrainingRun(Out):
    """A training run that has been started."""

    run: str


class DriftDay(In):
    """Which day's report is read; the last one otherwise."""

    day: Day | None = None


@route(blueprint, "POST", "/v1/outcomes", roles=OPERATORS, raises=[NotFound, RecordedMeanwhile])
def record_outcome(call: Call, body: Observation) -> Label:
    """Record an observation of a loan's repayment. Idempotent."""
    return labels().record(body, call.caller.subject)


@route(blueprint, "GET", "/v1/outcomes", roles=STAFF)
def count_outcomes(call: Call, query: OutcomeMonth) -> OutcomeCounts:
    """Count a month's labels."""
    return OutcomeCounts(month=query.month, labels=labels().counts(query.month))


@route(
    blueprint,
    "POST",
    "/v1/models/{model_id}/trainings",
    roles=RISK_OFFICERS,
    status=202,
    key=Key.DERIVED,
    raises=[*READING, AlreadyStarted],
)
def start_training(call: Call, model_id: str, body: TrainingRequest) -> TrainingRun:
    """Start a training run; the Idempotency-Key is its name."""
    run = f"{model_id}-{call.required_key}"
    learning().start(model_id, run, by=call.caller.subject, training_set=body.training_set)
    return TrainingRun(run=run)


@route(blueprint, "GET", "/v1/models/{model_id}/drift", roles=STAFF, raises=READING)
def read_drift(call: Call, model_id: str, query: DriftDay) -> DriftReport:
    """Read what the daily watch found."""
    return drift_watch().read(model_id, query.day)
