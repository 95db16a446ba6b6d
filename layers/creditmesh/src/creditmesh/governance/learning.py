"""The learning loop: what a training run is given, what becomes of its candidate, and what starts one."""

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
"""Who makes a candidate that nobody asked for by name: a person has to approve it in any case."""


class AlreadyStarted(Conflict):
    """A training run of that name has ended, or goes on with another request."""

    code = "training_already_started"


class Prepared(BaseModel):
    """What a run may begin with."""

    model_config = ConfigDict(frozen=True)

    outcome: Literal["prepared", "nothing_to_learn"]
    goods: int = 0
    """Labels of loans paid; bads: of loans that defaulted; both of the platform's own applications."""
    bads: int = 0


class Proposed(BaseModel):
    """What became of a run's candidate."""

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
        registry: gives the registry of models.
    """

    def __init__(self, data: Objects, labels: Labels, registry: Callable[[], ModelRegistry], process: Process) -> None:
        self._data, self._labels, self._registry, self._process = data, labels, registry, process

    def start(self, model_id: str, run: str, *, by: str, training_set: str | None = None) -> None:
        """Start a run.

        Args:
            model_id: of the model to learn.
            run: its name; the same request once more, while the run goes on, changes nothing.
            by: who wants it; the maker of the candidate.
            training_set: a folder below ``training-sets/`` with rows of one's own; else the platform's own labels.

        Raises:
            InvalidInput: a name or folder that is none.
            AlreadyStarted: a run of that name has ended, or was started by another request.
        """
        if not _RUN.fullmatch(run):
            raise InvalidInput("must be letters, digits, '.', '_' or '-', at most 80", field="run")
        if training_set is not None and not _SET.fullmatch(training_set):
            raise InvalidInput(f"must be a folder below {SETS}/", field="training_set")
        given = {"model_id": model_id, "by": by, **({"training_set": training_set} if training_set else {})}
        if not self._process.start(run, given):
            raise AlreadyStarted("a run of that name has been started before", field="run")

    def prepare(self, run: str, model_id: str, training_set: str | None) -> Prepared:
        """Lay out for the job what it needs: the model in force, and the labels unless rows are given."""
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
        """Put a run's candidate before the people who may approve it, with what its gates found."""
        place = f"{RUNS}/{run}"
        report = GateReport.model_validate(self._data.get_json(f"{place}/gates.json"))
        registry = self._registry()
        known = registry.list(model_id)
        version = next((one for one in known if one.evidence.get("training_run") == run), None)
        if version is None:
            document = _above(known[0].version, self._data.get_json(f"{place}/candidate.json"))
            version = registry.propose(
                document, maker=by, kind=ModelKind.TRAINING, note=f"training run {run}", evidence=_evidence(place, run)
            )
        version = registry.attach_gates(model_id, version.content_hash, report)
        return _outcome(version, report)


def _above(highest: str, document: dict[str, Any]) -> dict[str, Any]:
    """The candidate under a number above all that are known: others may have been proposed since its champion."""
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
    """The name of a run that the platform starts by itself: at most one a month for each cause."""
    return f"{model_id}-{cause}-{day[:7]}"
