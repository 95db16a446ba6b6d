"""The learning loop: starts training runs, prepares their input, and proposes their candidates."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from creditmesh.governance.model import GateReport, ModelKind, ModelVersion, precedence
from creditmesh.kernel.errors import Conflict, InvalidInput
from creditmesh.platform.objects import Objects
from creditmesh.platform.tasks import Process
from creditmesh.risk.artefact import seal
from creditmesh.risk.assembly import next_minor

if TYPE_CHECKING:
    from creditmesh.governance.labels import Labels
    from creditmesh.governance.registry import ModelRegistry

RUNS = "training-runs"
SETS = "training-sets"
_SET = re.compile(rf"{SETS}(?:/[A-Za-z0-9][A-Za-z0-9._=+-]*)+/?", re.ASCII)
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)
TRAINER = "training"
"""Maker of candidates of automatic runs; a person must approve them in any case."""


class AlreadyStarted(Conflict):
    """A training run of that name has ended, or runs with another request."""

    code = "training_already_started"


class Prepared(BaseModel):
    """The input of a run."""

    model_config = ConfigDict(frozen=True)

    outcome: Literal["prepared", "nothing_to_learn"]
    goods: int = 0
    """Labels of repaid loans; bads: of defaulted ones; both of the platform's own applications."""
    bads: int = 0


class Proposed(BaseModel):
    """Result of a run's candidate."""

    model_config = ConfigDict(frozen=True)

    outcome: Literal["proposed", "gates_failed"]
    content_hash: str
    version: str
    failed_gates: list[str] = []


class Learning:
    """Training runs around the Spark job.

    Args:
        data: the bucket of training sets and runs.
        process: the training process.
        registry: returns the registry of models.
    """

    def __init__(self, data: Objects, labels: Labels, registry: Callable[[], ModelRegistry], process: Process) -> None:
        self._data, self._labels, self._registry, self._process = data, labels, registry, process

    def start(self, model_id: str, run: str, *, by: str, training_set: str | None = None) -> None:
        """Start a run.

        Args:
            model_id: the model to train.
            run: its name; idempotent for the same request while the run is active.
            by: who asks; becomes the candidate's maker.
            training_set: a folder below ``training-sets/`` with rows; default: the platform's own labels.

        Raises:
            InvalidInput: an invalid name or folder.
            AlreadyStarted: a run of that name has ended, or was started by another request.
        """
        if not _RUN.fullmatch(run):
            raise InvalidInput("must be letters, digits, '.', '_' or '-', at most 80", field="run", fault="wrong_form")
        if training_set is not None and not _SET.fullmatch(training_set):
            raise InvalidInput(
                "must be a folder below {folder}", field="training_set", fault="wrong_folder", folder=f"{SETS}/"
            )
        given = {"model_id": model_id, "by": by, **({"training_set": training_set} if training_set else {})}
        if not self._process.start(run, given):
            raise AlreadyStarted("a run of that name has been started before", field="run")

    def prepare(self, run: str, model_id: str, training_set: str | None) -> Prepared:
        """Write the job's input: the champion, and the labels unless rows are given."""
        place = f"{RUNS}/{run}"
        self._data.put(f"{place}/champion.json", self._registry().champion_text(model_id).encode(), "application/json")
        if training_set is not None:
            return Prepared(outcome="prepared")
        lines = list(self._labels.export())
        bads = sum(json.loads(line)["bad"] for line in lines)
        if not 0 < bads < len(lines):
            return Prepared(outcome="nothing_to_learn", goods=len(lines) - bads, bads=bads)
        self._data.put(f"{place}/labels/labels.jsonl", "\n".join(lines).encode(), "application/x-ndjson")
        return Prepared(outcome="prepared", goods=len(lines) - bads, bads=bads)

    def propose(self, run: str, model_id: str, by: str) -> Proposed:
        """Propose a run's candidate, with the results of its gates."""
        place = f"{RUNS}/{run}"
        report = GateReport.model_validate(self._data.get_json(f"{place}/gates.json"))
        registry = self._registry()
        known = registry.list(model_id)
        version = next((one for one in known if one.evidence.get("training_run") == run), None)
        if version is None:
            document = _above(known[0].version, self._data.get_json(f"{place}/candidate.json"))
            version = registry.propose(document, maker=by, kind=ModelKind.TRAINING, evidence=_evidence(place, run))
        version = registry.attach_gates(model_id, version.content_hash, report)
        return _outcome(version, report)


def _above(highest: str, document: dict[str, Any]) -> dict[str, Any]:
    """Give the candidate a version above all existing ones, since others may have been proposed meanwhile."""
    if precedence(document["version"]) > precedence(highest):
        return document
    return seal({**document, "version": next_minor(highest)})


def _evidence(place: str, run: str) -> dict[str, Any]:
    return {
        "training_run": run,
        "card": f"{place}/card.html",
        "diagnostics": f"{place}/diagnostics.json",
        "baseline": f"{place}/baseline.json",
    }


def _outcome(version: ModelVersion, report: GateReport) -> Proposed:
    failed = [gate.id for gate in report.gates if not gate.passed]
    return Proposed(
        outcome="proposed" if report.passed else "gates_failed",
        content_hash=version.content_hash,
        version=version.version,
        failed_gates=failed,
    )


def run_name(model_id: str, cause: str, day: str) -> str:
    """The name of an automatic run: at most one per month and cause."""
    return f"{model_id}-{cause}-{day[:7]}"
