"""The registry of decision models: proposals, four eyes, the champion and its challenger."""

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
    SamePerson,
    ShadowScore,
    TestsFailed,
    UnknownVersion,
    WrongState,
    full_hash,
    precedence,
)
from creditmesh.governance.store import Act, ModelStore
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import InvalidInput
from creditmesh.risk.artefact import Artefact, load, seal
from creditmesh.risk.errors import ArtefactInvalid

DEPLOYMENT = "deployment"
MAX_EVIDENCE = 100_000
Shadows = Callable[[str], "list[ShadowScore]"]


class ModelRegistry:
    """Versions of the platform's model and which of them decides.

    Args:
        store: the records and documents, for writing.
        stored: the same as those read them who decide by them: verified.
        sign: signs an approved version's hash.
        shadows: what the challenger of that hash said of applications that the champion decided.
    """

    def __init__(self, store: ModelStore, stored: StoredModels, sign: Sign, shadows: Shadows, clock: Clock) -> None:
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
        """Keep a new version, with what its test cases give; the same content again is the version there is.

        Args:
            document: a sealed artefact, with or without a signature, which is not kept.
            evidence: what speaks for it: a model card's figures, a simulation's; JSON.

        Raises:
            InvalidInput: the artefact breaks a rule (path and rule are named), or its version is not higher than all.
        """
        artefact, unsigned = _readable(document)
        self._known_model(artefact.model_id, "document.model_id")
        self._adopt_shipped()
        known = {version.content_hash: version for version in self._store.versions(artefact.model_id)}
        if artefact.content_hash in known:
            return known[artefact.content_hash]
        if kind is ModelKind.SHIPPED:
            raise InvalidInput("must be training, rules or policy", field="kind")
        if len(json.dumps(evidence or {})) > MAX_EVIDENCE:
            raise InvalidInput(f"must have at most {MAX_EVIDENCE} characters as JSON", field="evidence")
        latest = self._store.latest(artefact.model_id)
        if latest is not None and precedence(artefact.version) <= precedence(latest):
            raise InvalidInput(f"must be higher than {latest}, the highest one known", field="document.version")
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
        """Keep what the gates of a proposed version say; a later report takes an earlier one's place.

        Raises:
            InvalidInput: the report contradicts itself or has no gates.
        """
        if not report.gates or report.passed != all(gate.passed for gate in report.gates):
            raise InvalidInput("must be true if and only if all gates, at least one, passed", field="report.passed")
        version = self._in_state(model_id, content_hash, ModelState.PROPOSED)
        what = "gates_passed" if report.passed else "gates_failed"
        failed = ", ".join(gate.id for gate in report.gates if not gate.passed)
        return self._store.change(Act(version, what, failed, {"gates": report}), by)

    def approve(self, model_id: str, content_hash: str, *, checker: str, note: str = "") -> ModelVersion:
        """Release a proposed version: sign it, so that it may decide once promoted. A repeat repairs its document.

        Raises:
            SamePerson, TestsFailed, GatesFailed, WrongState: see the classes.
            ModelRefused: the stored document is no longer the one proposed.
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
        """Turn a proposed version down; its maker may do so too.

        Raises:
            InvalidInput: no reason is given.
        """
        if not note.strip():
            raise InvalidInput("says why", field="note")
        version = self._in_state(model_id, content_hash, ModelState.PROPOSED)
        values = {"state": ModelState.REJECTED, "checker": checker}
        return self._store.change(Act(version, "rejected", note, values), checker)

    def challenge(self, model_id: str, content_hash: str, *, by: str) -> Current:
        """Make an approved version the challenger: it scores what the champion decides, and decides nothing."""
        version = self._in_state(model_id, content_hash, ModelState.APPROVED)
        current = self.current(model_id)
        if current.challenger == version.content_hash:
            return current
        self._loadable(version)
        acts = [Act(version, "challenged"), *self._challenger_leaves(current)]
        return self._store.point(current, by, acts, challenger=version.content_hash)

    def withdraw_challenger(self, model_id: str, *, by: str) -> Current:
        """Let the challenger score no longer; nothing happens if there is none."""
        current = self.current(model_id)
        if current.challenger is None:
            return current
        return self._store.point(current, by, self._challenger_leaves(current), challenger=None)

    def propose_promotion(self, model_id: str, content_hash: str, *, maker: str, note: str = "") -> ModelVersion:
        """Ask for an approved version to take the present champion's place.

        Raises:
            WrongState: it is not approved, somebody else has asked already, or it is a change of the rules of another
                champion: it would take back all that has changed since.
        """
        version = self._in_state(model_id, content_hash, ModelState.APPROVED)
        champion = self.current(model_id).champion
        if version.kind is ModelKind.RULES and version.evidence.get("based_on", champion) != champion:
            raise WrongState("its rules were changed from those of another champion: propose the change anew")
        waiting = version.promotion
        if waiting and waiting.champion == champion:
            if waiting.maker == maker:
                return version
            raise WrongState(f"its promotion was proposed by {waiting.maker} already: confirm it")
        promotion = Promotion(maker=maker, at=iso(self._clock.now()), champion=champion)
        return self._store.change(Act(version, "promotion_proposed", note, {"promotion": promotion}), maker)

    def confirm_promotion(self, model_id: str, content_hash: str, *, checker: str) -> Current:
        """Put the proposed version in the champion's place; both steps of one repeat are the same.

        Raises:
            SamePerson: the one who proposed the promotion confirms it.
            WrongState: no promotion waits, or it was proposed against another champion.
            ModelRefused: the stored document would not decide: altered, unsigned, signed by another key.
        """
        version = self.get(model_id, content_hash)
        current = self.current(model_id)
        if current.champion == version.content_hash and _promoted_by(version, checker):
            return current
        _require(version, ModelState.APPROVED)
        promotion = version.promotion
        if promotion is None:
            raise WrongState("nobody has proposed its promotion")
        _other_person(checker, promotion.maker)
        if promotion.champion != current.champion:
            raise WrongState("another version has become champion since its promotion was proposed: propose it anew")
        self._loadable(version)
        leaving = self.get(model_id, current.champion)
        values = {"state": ModelState.CHAMPION, "promotion": None, "replaced": current.champion}
        acts = [
            Act(version, "promoted", f"proposed by {promotion.maker}", values),
            Act(leaving, "retired", f"by {version.version}", {"state": ModelState.RETIRED}),
        ]
        pointer: dict[str, str | None] = {"champion": version.content_hash, "previous": current.champion}
        if current.challenger == version.content_hash:
            pointer["challenger"] = None
        return self._store.point(current, checker, acts, **pointer)

    def rollback(self, model_id: str, *, by: str, reason: str) -> Current:
        """Give the place back to the version before the champion, in one call by one person.

        Raises:
            InvalidInput: no reason is given.
            WrongState: there is no version before.
            ModelRefused: the stored document of the one before would not decide.
        """
        if not reason.strip():
            raise InvalidInput("says why", field="reason")
        current = self.current(model_id)
        if current.previous is None:
            raise WrongState("there is no version before the champion")
        leaving, back = self.get(model_id, current.champion), self.get(model_id, current.previous)
        self._loadable(back)
        acts = [
            Act(leaving, "rolled_back", reason, {"state": ModelState.RETIRED}),
            Act(back, "restored", reason, {"state": ModelState.CHAMPION}),
        ]
        return self._store.point(current, by, acts, champion=back.content_hash, previous=back.replaced)

    def current(self, model_id: str) -> Current:
        """Which versions decide and score in the shadow."""
        self._known_model(model_id, "model_id")
        found = self._store.current(model_id)
        return found or Current(model_id=model_id, champion=self._shipped().content_hash)

    def champion_text(self, model_id: str) -> str:
        """The champion's document, as those read it who decide by it.

        Raises:
            ModelRefused: it would not decide.
        """
        champion = self.get(model_id, self.current(model_id).champion)
        self._loadable(champion)
        return self.text_of(model_id, champion.content_hash)

    def text_of(self, model_id: str, content_hash: str) -> str:
        """A version's document as it was proposed, and signed if it was approved.

        Raises:
            ModelRefused: it is no longer the one proposed.
        """
        version = self.get(model_id, content_hash)
        return json.dumps(self._unaltered(version), ensure_ascii=False)

    def get(self, model_id: str, content_hash: str) -> ModelVersion:
        """One version.

        Raises:
            UnknownVersion: nobody proposed it.
        """
        self._known_model(model_id, "model_id")
        wanted = full_hash(content_hash)
        shipped = self._shipped_version() if self._store.current(model_id) is None else None
        return shipped if shipped and shipped.content_hash == wanted else self._store.get(model_id, wanted)

    def comparison(self, model_id: str) -> Comparison:
        """What champion and challenger said of the same applications."""
        current = self.current(model_id)
        scores = self._shadows(current.challenger) if current.challenger else []
        return compare(current, [one for one in scores if one.champion == current.champion])

    def list(self, model_id: str) -> list[ModelVersion]:
        """All versions, the highest first."""
        self._known_model(model_id, "model_id")
        found = self._store.versions(model_id) or [self._shipped_version()]
        return sorted(found, key=lambda version: precedence(version.version), reverse=True)

    def _known_model(self, model_id: str, field: str) -> None:
        if model_id != self._stored.places.model_id:
            raise UnknownVersion(f"the platform decides by {self._stored.places.model_id} only", field=field)

    def _shipped(self) -> Artefact:
        try:
            return self._stored.load(None)
        except ArtefactInvalid as error:
            raise ModelRefused(f"the shipped model: {error}") from None

    def _shipped_version(self) -> ModelVersion:
        artefact = self._shipped()
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

    def _adopt_shipped(self) -> None:
        """Make the shipped model a version among others, before the first one is proposed."""
        if self._store.current(self._stored.places.model_id) is None:
            version = self._shipped_version()
            document = json.loads(self._stored.shipped_text())
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
        """The stored document, if it still has the content that was proposed."""
        try:
            text = self._stored.text(version.content_hash)
            if load(text).content_hash != version.content_hash:
                raise ArtefactInvalid("$.content_hash", "must be the version's")
        except ArtefactInvalid as error:
            raise ModelRefused(f"the stored document: {error}") from None
        return dict(json.loads(text))

    def _loadable(self, version: ModelVersion) -> None:
        """Make sure that those who decide would take the stored document."""
        try:
            self._stored.load(version.content_hash)
        except ArtefactInvalid as error:
            raise ModelRefused(f"the stored document: {error}") from None


def _readable(document: Mapping[str, Any]) -> tuple[Artefact, dict[str, Any]]:
    """The artefact, and its document without a signature."""
    sealed = dict(document) if "content_hash" in document else seal(document)
    sealed.pop("signature", None)
    try:
        return checked(sealed), sealed
    except ArtefactInvalid as error:
        raise InvalidInput(error.rule, field="document" + error.path.removeprefix("$")) from None


def _require(version: ModelVersion, state: ModelState) -> None:
    if version.state is not state:
        raise WrongState(f"the version is {version.state.value}, not {state.value}")


def _other_person(checker: str, maker: str) -> None:
    if checker == maker:
        raise SamePerson("another person than the one who proposed it has to check it")


def _releasable(version: ModelVersion) -> None:
    failed = [case.name for case in version.tests if not case.passed]
    if failed:
        raise TestsFailed(f"test cases kept with the model fail: {', '.join(failed)}")
    if version.kind is not ModelKind.TRAINING:
        return
    if version.gates is None:
        raise GatesFailed("a version made by training needs a report of its gates")
    if not version.gates.passed:
        raise GatesFailed(f"gates failed: {', '.join(gate.id for gate in version.gates.gates if not gate.passed)}")


def _promoted_by(version: ModelVersion, checker: str) -> bool:
    last = version.history[-1]
    return (last.what, last.by) == ("promoted", checker)
