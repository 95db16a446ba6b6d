"""The registry of decision models: proposals, four eyes, champion and challenger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from creditmesh.decisions.serving.model_signature import Sign
from creditmesh.decisions.serving.stored_models import StoredModels
from creditmesh.governance.checks import run_tests
from creditmesh.governance.comparison import compare
from creditmesh.governance.document.artefact import checked
from creditmesh.governance.model import (
    Comparison,
    Current,
    GateReport,
    GatesFailed,
    ModelKind,
    ModelRefused,
    ModelState,
    ModelVersion,
    Promotion,
    ShadowScore,
    TestsFailed,
    UnknownVersion,
    WrongState,
    full_hash,
    precedence,
)
from creditmesh.governance.store import NONE, Act, ModelStore
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import InvalidInput, SamePerson
from creditmesh.risk.artefact import Artefact, load, seal
from creditmesh.risk.errors import ArtefactInvalid

DEPLOYMENT = "deployment"
MAX_EVIDENCE = 100_000
Shadows = Callable[[str], "list[ShadowScore]"]


class ModelRegistry:
    """Versions of the platform's model, and which of them decides.

    Args:
        store: records and documents, for writing.
        stored: the same by model id, as engines read them: verified.
        sign: signs an approved version's hash.
        shadows: returns the shadow scores of the challenger with that hash.
    """

    def __init__(
        self, store: ModelStore, stored: Mapping[str, StoredModels], sign: Sign, shadows: Shadows, clock: Clock
    ) -> None:
        self._store, self._stored, self._sign, self._shadows, self._clock = store, stored, sign, shadows, clock

    def propose(
        self,
        document: Mapping[str, Any],
        *,
        maker: str,
        kind: ModelKind,
        note: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> ModelVersion:
        """Store a new version with the results of its test cases. Idempotent for the same content.

        Args:
            document: a sealed artefact; a signature is dropped.
            evidence: JSON that supports it, such as figures of a model card or a simulation.

        Raises:
            InvalidInput: the artefact breaks a rule (path and rule are named), or its version is not the highest.
        """
        artefact, unsigned = _readable(document)
        self._known_model(artefact.model_id, "document.model_id")
        self._adopt_shipped(artefact.model_id)
        known = {version.content_hash: version for version in self._store.versions(artefact.model_id)}
        if artefact.content_hash in known:
            return known[artefact.content_hash]
        if kind is ModelKind.SHIPPED:
            raise InvalidInput("must be training, rules or policy", field="kind", fault="not_allowed")
        if len(json.dumps(evidence or {})) > MAX_EVIDENCE:
            raise InvalidInput(
                "must have at most {max} characters as JSON", field="evidence", fault="too_long", max=MAX_EVIDENCE
            )
        latest = self._store.latest(artefact.model_id)
        if latest is not None and precedence(artefact.version) <= precedence(latest):
            raise InvalidInput(
                "must be higher than {latest}, the highest one known",
                field="document.version",
                fault="not_higher",
                latest=latest,
            )
        version = ModelVersion(
            model_id=artefact.model_id,
            content_hash=artefact.content_hash,
            version=artefact.version,
            state=ModelState.PROPOSED,
            kind=kind,
            maker=maker,
            note=note,
            evidence=dict(evidence or {}),
            tests=run_tests(artefact),
            created_at=iso(self._clock.now()),
            history=[self._store.line(maker, "proposed", note)],
        )
        self._store.put_document(artefact.model_id, artefact.content_hash, unsigned)
        self._store.add(version, latest)
        return version

    def attach_gates(self, model_id: str, content_hash: str, report: GateReport, *, by: str = "gates") -> ModelVersion:
        """Store the gates of a proposed version; a later report replaces an earlier one.

        Raises:
            InvalidInput: the report is inconsistent or has no gates.
        """
        if not report.gates or report.passed != all(gate.passed for gate in report.gates):
            raise InvalidInput(
                "must be true if and only if all gates, at least one, passed",
                field="report.passed",
                fault="contradictory",
            )
        version = self._in_state(model_id, content_hash, ModelState.PROPOSED)
        what = "gates_passed" if report.passed else "gates_failed"
        failed = [gate.id for gate in report.gates if not gate.passed]
        named = {"gates": failed} if failed else NONE
        return self._store.change(Act(version, what, values={"gates": report}, parameters=named), by)

    def approve(self, model_id: str, content_hash: str, *, checker: str, note: str = "") -> ModelVersion:
        """Approve and sign a proposed version, so that it can be promoted. A repeat repairs its document.

        Raises:
            SamePerson, TestsFailed, GatesFailed, WrongState: see the classes.
            ModelRefused: the stored document is no longer the proposed one.
        """
        version = self.get(model_id, content_hash)
        repeated = version.state is ModelState.APPROVED and version.checker == checker
        if not repeated:
            _require(version, ModelState.PROPOSED)
            _other_person(checker, version.maker)
            _releasable(version)
        document = self._unaltered(version)
        signature = self._sign(version.content_hash)
        if not repeated:
            values = {"state": ModelState.APPROVED, "checker": checker}
            version = self._store.change(Act(version, "approved", note, values), checker)
        self._store.put_document(version.model_id, version.content_hash, {**document, "signature": signature})
        return version

    def reject(self, model_id: str, content_hash: str, *, checker: str, note: str) -> ModelVersion:
        """Reject a proposed version; its maker may do so too.

        Raises:
            InvalidInput: no reason given.
        """
        if not note.strip():
            raise InvalidInput("must say why", field="note", fault="required")
        version = self._in_state(model_id, content_hash, ModelState.PROPOSED)
        values = {"state": ModelState.REJECTED, "checker": checker}
        return self._store.change(Act(version, "rejected", note, values), checker)

    def challenge(self, model_id: str, content_hash: str, *, by: str) -> Current:
        """Make an approved version the challenger, which scores the champion's applications without deciding."""
        version = self._in_state(model_id, content_hash, ModelState.APPROVED)
        current = self.current(model_id)
        if current.challenger == version.content_hash:
            return current
        self._loadable(version)
        acts = [Act(version, "challenged"), *self._challenger_leaves(current)]
        return self._store.point(current, by, acts, challenger=version.content_hash)

    def withdraw_challenger(self, model_id: str, *, by: str) -> Current:
        """Remove the challenger; idempotent."""
        current = self.current(model_id)
        if current.challenger is None:
            return current
        return self._store.point(current, by, self._challenger_leaves(current), challenger=None)

    def propose_promotion(self, model_id: str, content_hash: str, *, maker: str, note: str = "") -> ModelVersion:
        """Propose an approved version as champion.

        Raises:
            WrongState: not approved, proposed already, or a rule change based on another champion, which would revert
                later changes.
        """
        version = self._in_state(model_id, content_hash, ModelState.APPROVED)
        champion = self.current(model_id).champion
        if version.kind is ModelKind.RULES and version.evidence.get("based_on", champion) != champion:
            raise WrongState("its rule change is based on another champion: propose the change again")
        waiting = version.promotion
        if waiting and waiting.champion == champion:
            if waiting.maker == maker:
                return version
            raise WrongState("its promotion was already proposed by {maker}: confirm it", maker=waiting.maker)
        promotion = Promotion(maker=maker, at=iso(self._clock.now()), champion=champion)
        return self._store.change(Act(version, "promotion_proposed", note, {"promotion": promotion}), maker)

    def confirm_promotion(self, model_id: str, content_hash: str, *, checker: str) -> Current:
        """Promote the proposed version. Idempotent.

        Raises:
            SamePerson: the proposer cannot confirm.
            WrongState: no promotion is proposed, or it was proposed against another champion.
            ModelRefused: the stored document is unusable: altered, unsigned, signed by another key.
        """
        version = self.get(model_id, content_hash)
        current = self.current(model_id)
        if current.champion == version.content_hash and _promoted_by(version, checker):
            return current
        _require(version, ModelState.APPROVED)
        promotion = version.promotion
        if promotion is None:
            raise WrongState("its promotion was not proposed")
        _other_person(checker, promotion.maker)
        if promotion.champion != current.champion:
            raise WrongState("another version has become champion since its promotion was proposed: propose it again")
        self._loadable(version)
        leaving = self.get(model_id, current.champion)
        values = {"state": ModelState.CHAMPION, "promotion": None, "replaced": current.champion}
        acts = [
            Act(version, "promoted", values=values, parameters={"proposed_by": promotion.maker}),
            Act(leaving, "retired", values={"state": ModelState.RETIRED}, parameters={"version": version.version}),
        ]
        pointer: dict[str, str | None] = {"champion": version.content_hash, "previous": current.champion}
        if current.challenger == version.content_hash:
            pointer["challenger"] = None
        return self._store.point(current, checker, acts, **pointer)

    def rollback(self, model_id: str, *, by: str, reason: str) -> Current:
        """Make the previous champion decide again; one call by one person.

        Raises:
            InvalidInput: no reason given.
            WrongState: there is no previous champion.
            ModelRefused: the previous champion's document is unusable.
        """
        if not reason.strip():
            raise InvalidInput("must say why", field="reason", fault="required")
        current = self.current(model_id)
        if current.previous is None:
            raise WrongState("there is no previous champion")
        leaving, back = self.get(model_id, current.champion), self.get(model_id, current.previous)
        self._loadable(back)
        acts = [
            Act(leaving, "rolled_back", reason, {"state": ModelState.RETIRED}),
            Act(back, "restored", reason, {"state": ModelState.CHAMPION}),
        ]
        return self._store.point(current, by, acts, champion=back.content_hash, previous=back.replaced)

    def models(self) -> list[Current]:
        """The models that decide, by id."""
        return [self.current(model_id) for model_id in sorted(self._stored)]

    def current(self, model_id: str) -> Current:
        self._known_model(model_id, "model_id")
        found = self._store.current(model_id)
        return found or Current(model_id=model_id, champion=self._shipped(model_id).content_hash)

    def champion_text(self, model_id: str) -> str:
        """The champion's document, as engines read it.

        Raises:
            ModelRefused: unusable.
        """
        champion = self.get(model_id, self.current(model_id).champion)
        self._loadable(champion)
        return self.text_of(model_id, champion.content_hash)

    def text_of(self, model_id: str, content_hash: str) -> str:
        """A version's document as proposed, and signed if approved.

        Raises:
            ModelRefused: no longer the proposed one.
        """
        version = self.get(model_id, content_hash)
        return json.dumps(self._unaltered(version), ensure_ascii=False)

    def get(self, model_id: str, content_hash: str) -> ModelVersion:
        """One version.

        Raises:
            UnknownVersion: never proposed.
        """
        self._known_model(model_id, "model_id")
        wanted = full_hash(content_hash)
        shipped = self._shipped_version(model_id) if self._store.current(model_id) is None else None
        return shipped if shipped and shipped.content_hash == wanted else self._store.get(model_id, wanted)

    def comparison(self, model_id: str) -> Comparison:
        """Champion and challenger over the same applications."""
        current = self.current(model_id)
        scores = self._shadows(current.challenger) if current.challenger else []
        return compare(current, [score for score in scores if score.champion == current.champion])

    def list(self, model_id: str) -> list[ModelVersion]:
        self._known_model(model_id, "model_id")
        found = self._store.versions(model_id) or [self._shipped_version(model_id)]
        return sorted(found, key=lambda version: precedence(version.version), reverse=True)

    def _known_model(self, model_id: str, field: str) -> None:
        if model_id not in self._stored:
            raise UnknownVersion("must be one of {allowed}", field=field, allowed=sorted(self._stored))

    def _shipped(self, model_id: str) -> Artefact:
        try:
            return self._stored[model_id].load(None)
        except ArtefactInvalid as error:
            raise ModelRefused(f"the shipped model: {error}") from None

    def _shipped_version(self, model_id: str) -> ModelVersion:
        artefact = self._shipped(model_id)
        return ModelVersion(
            model_id=artefact.model_id,
            content_hash=artefact.content_hash,
            version=artefact.version,
            state=ModelState.CHAMPION,
            kind=ModelKind.SHIPPED,
            maker=DEPLOYMENT,
            tests=run_tests(artefact),
            created_at=iso(self._clock.now()),
            history=[self._store.line(DEPLOYMENT, "shipped")],
        )

    def _adopt_shipped(self, model_id: str) -> None:
        """Register the shipped model as a version, before the first proposal."""
        if self._store.current(model_id) is None:
            version = self._shipped_version(model_id)
            document = json.loads(self._stored[model_id].shipped_text())
            self._store.put_document(version.model_id, version.content_hash, document)
            self._store.adopt(version)

    def _in_state(self, model_id: str, content_hash: str, state: ModelState) -> ModelVersion:
        version = self.get(model_id, content_hash)
        _require(version, state)
        return version

    def _challenger_leaves(self, current: Current) -> tuple[Act, ...]:
        if current.challenger is None:
            return ()
        return (Act(self.get(current.model_id, current.challenger), "challenge_ended"),)

    def _unaltered(self, version: ModelVersion) -> dict[str, Any]:
        """The stored document, if its content is unchanged."""
        try:
            text = self._stored[version.model_id].text(version.content_hash)
            if load(text).content_hash != version.content_hash:
                raise ArtefactInvalid("$.content_hash", "must be the version's")
        except ArtefactInvalid as error:
            raise ModelRefused(f"the stored document: {error}") from None
        return dict(json.loads(text))

    def _loadable(self, version: ModelVersion) -> None:
        """Check that engines would accept the stored document."""
        try:
            self._stored[version.model_id].load(version.content_hash)
        except ArtefactInvalid as error:
            raise ModelRefused(f"the stored document: {error}") from None


def _readable(document: Mapping[str, Any]) -> tuple[Artefact, dict[str, Any]]:
    """The artefact, and its document without a signature."""
    sealed = dict(document) if "content_hash" in document else seal(document)
    sealed.pop("signature", None)
    try:
        return checked(sealed), sealed
    except ArtefactInvalid as error:
        raise InvalidInput(error.rule, field="document" + error.path.removeprefix("$"), fault="model_invalid") from None


def _require(version: ModelVersion, state: ModelState) -> None:
    if version.state is not state:
        raise WrongState("the version is {state}, not {needed}", state=version.state.value, needed=state.value)


def _other_person(checker: str, maker: str) -> None:
    if checker == maker:
        raise SamePerson("another person than the proposer must check it")


def _releasable(version: ModelVersion) -> None:
    failed = [case.name for case in version.tests if not case.passed]
    if failed:
        raise TestsFailed("test cases kept with the model fail: {tests}", tests=failed)
    if version.kind is not ModelKind.TRAINING:
        return
    if version.gates is None:
        raise GatesFailed("a version made by training needs a report of its gates")
    if not version.gates.passed:
        failed = [gate.id for gate in version.gates.gates if not gate.passed]
        raise GatesFailed("gates failed: {gates}", gates=failed)


def _promoted_by(version: ModelVersion, checker: str) -> bool:
    last = version.history[-1]
    return (last.what, last.by) == ("promoted", checker)
