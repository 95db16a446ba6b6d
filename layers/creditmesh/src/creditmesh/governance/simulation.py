"""Simulation: a version compared with the champion on past decisions, before its release.

A simulation reads the log of decisions backwards from the newest day, a few hundred at a time. After each step its
whole state, including its position, is stored as one document. So it can continue after any interruption and counts
nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Literal

from pydantic import Field

from creditmesh.decisions.model import SHARDS, Decision, Decisions
from creditmesh.governance.model import Value
from creditmesh.governance.registry import ModelRegistry
from creditmesh.governance.side_by_side import Pair
from creditmesh.governance.statistics import Period, RuleHits, days_between
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.kernel.ids import new_id
from creditmesh.platform.objects import Objects
from creditmesh.platform.tables import Put, Tables
from creditmesh.risk.artefact import load
from creditmesh.risk.model import Artefact

MAX_DECISIONS = 10_000
STEP = 250
_EMPTY_SHARD = 5
_RECORD = "simulation#"


class Place(Value):
    """Position in the log: the last application read in a day's shard."""

    day: str
    shard: int
    after: str | None = None


class Side(Value):
    """Results of one version; amounts in minor units."""

    version: str
    content_hash: str
    decisions: dict[str, int] = {}
    """Approve, refer, decline → count; `stages`: last stage → count."""
    stages: dict[str, int] = {}
    approved_minor: int = 0
    """Sum of approved limits; `referred_minor`: of proposed limits of referrals."""
    referred_minor: int = 0


class RuleEffect(Value):
    """A rule's hits by champion and candidate; null if it is not in force in that version."""

    champion: RuleHits | None = None
    candidate: RuleHits | None = None


class Simulation(Period):
    """Champion and candidate over the same past decisions."""

    simulation_id: str
    model_id: str
    state: Literal["running", "done"] = "running"
    limit: int
    on: str | None
    """The assumed decision date; null: each decision's own."""
    started_by: str
    started_at: str
    finished_at: str | None = None
    scored: int = 0
    champion: Side
    candidate: Side
    changes: dict[str, list[str]] = {}
    """`champion's decision/candidate's` → application ids (the swap set)."""
    limits_changed: int = 0
    """Approved by both with different limits; `rates_changed`: with different rates."""
    rates_changed: int = 0
    rules: dict[str, RuleEffect] = {}
    refused: list[str] = []
    """Ids of applications whose key data one of the versions refuses."""
    not_reproduced: list[str] = []
    """Ids of applications that the champion decided and would now decide differently."""
    place: Place | None = Field(default=None)
    """Next position in the log; null when finished."""


class SimulationSummary(Period):
    """A simulation in the version's list; `key` names the complete document."""

    simulation_id: str
    state: str
    on: str | None
    scored: int
    champion: str
    changes: dict[str, int]
    started_by: str
    started_at: str
    finished_at: str | None
    key: str


class SimulationStore:
    """Stores simulations in the data bucket, and their summaries in the table `Models`."""

    def __init__(self, tables: Tables, table: str, documents: Objects) -> None:
        self._tables, self._table, self._documents = tables, table, documents

    def put(self, simulation: Simulation) -> None:
        one, key = simulation, _key(simulation.model_id, simulation.candidate.content_hash, simulation.simulation_id)
        self._documents.put_json(key, one.model_dump(mode="json"))
        summary = SimulationSummary(
            changes={kind: len(ids) for kind, ids in one.changes.items()},
            champion=one.champion.content_hash,
            key=key,
            **one.model_dump(include=set(SimulationSummary.model_fields) - {"changes", "champion", "key"}),
        )
        record = f"{_RECORD}{one.candidate.content_hash}#{one.simulation_id}"
        item = {"model_id": one.model_id, "record": record, "summary": summary.model_dump_json()}
        self._tables.write(Put(self._table, item, "model_id", replace=True))

    def get(self, model_id: str, content_hash: str, simulation_id: str) -> Simulation:
        found = self._tables.get(
            self._table, {"model_id": model_id, "record": f"{_RECORD}{content_hash}#{simulation_id}"}
        )
        if found is None:
            raise NotFound("no such simulation", field="simulation_id")
        return Simulation.model_validate(self._documents.get_json(_key(model_id, content_hash, simulation_id)))

    def of_version(self, model_id: str, content_hash: str) -> list[SimulationSummary]:
        start = f"{_RECORD}{content_hash}#"
        found = []
        for item in self._tables.query(self._table, "model_id", model_id, after=("record", start), consistent=True):
            if not item["record"].startswith(start):
                break
            found.append(SimulationSummary.model_validate_json(item["summary"]))
        return found


class Simulations:
    """Starts and continues simulations.

    Args:
        step: decisions between two saves.
    """

    def __init__(
        self, registry: ModelRegistry, log: Decisions, store: SimulationStore, clock: Clock, step: int = STEP
    ) -> None:
        self._registry, self._log, self._store, self._clock, self._size = registry, log, store, clock, step

    def start(
        self, model_id: str, content_hash: str, *, since: date, until: date, limit: int, on: date | None, by: str
    ) -> Simulation:
        """Create a simulation against the current champion; `run` does the work.

        Args:
            limit: maximum number of decisions, newest first.
            on: the assumed decision date, such as the day of the release; None: each decision's own.

        Raises:
            InvalidInput: an invalid period, or a limit out of range.
        """
        if not 0 < limit <= MAX_DECISIONS:
            raise InvalidInput(
                "must be from {min} to {max}", field="limit", fault="out_of_range", min=1, max=MAX_DECISIONS
            )
        last = days_between(since, until)[-1]
        candidate = self._side(model_id, content_hash)
        champion = self._side(model_id, self._registry.current(model_id).champion)
        now = self._clock.now()
        simulation = Simulation(
            simulation_id=new_id("sim", now),
            model_id=model_id,
            since=since.isoformat(),
            until=until.isoformat(),
            limit=limit,
            on=on.isoformat() if on else None,
            started_by=by,
            started_at=iso(now),
            champion=champion,
            candidate=candidate,
            place=Place(day=last.isoformat(), shard=0),
        )
        self._store.put(simulation)
        return simulation

    def run(self, simulation: Simulation, time_left: Callable[[], bool]) -> Simulation:
        """Continue until everything is compared or time is up, at least one step; returns the updated simulation."""
        if simulation.state == "done":
            return simulation
        pair = Pair(self._artefact(simulation, "champion"), self._artefact(simulation, "candidate"))
        tally = simulation.model_dump(mode="json")
        while tally["state"] == "running":
            self._step(tally, pair)
            self._store.put(Simulation.model_validate(tally))
            if not time_left():
                break
        return Simulation.model_validate(tally)

    def get(self, model_id: str, content_hash: str, simulation_id: str) -> Simulation:
        return self._store.get(model_id, content_hash, simulation_id)

    def of_version(self, model_id: str, content_hash: str) -> list[SimulationSummary]:
        return self._store.of_version(model_id, content_hash)

    def _step(self, tally: dict[str, Any], pair: Pair) -> None:
        """Compare the next few hundred decisions."""
        wanted = min(self._size, tally["limit"] - tally["scored"] - len(tally["refused"]))
        for decision, place in self._decisions(tally, wanted):
            if decision is not None:
                pair.add(tally, decision)
            tally["place"] = place and place.model_dump()
        done = tally["scored"] + len(tally["refused"]) >= tally["limit"]
        if done or tally["place"] is None:
            tally.update(state="done", place=None, finished_at=iso(self._clock.now()))

    def _decisions(self, tally: Mapping[str, Any], wanted: int) -> Iterator[tuple[Decision | None, Place | None]]:
        """The next decisions, each with the position after it; (None, position) at the end of a shard.

        The end of a shard counts like a few decisions, so that a long period without any ends a step too.
        """
        place: Place | None = Place.model_validate(tally["place"])
        while wanted > 0 and place is not None:
            day, shard = date.fromisoformat(place.day), place.shard
            found = 0
            for one in self._log.of_shard(tally["model_id"], day, shard, place.after, wanted):
                found += 1
                yield one, Place(day=place.day, shard=shard, after=one.application_id)
            if found < wanted:
                place = _next_shard(place, tally["from"])
                yield None, place
            wanted -= max(found, _EMPTY_SHARD)

    def _side(self, model_id: str, content_hash: str) -> Side:
        artefact = load(self._registry.text_of(model_id, content_hash))
        return Side(version=artefact.version, content_hash=artefact.content_hash)

    def _artefact(self, simulation: Simulation, side: Literal["champion", "candidate"]) -> Artefact:
        content_hash = getattr(simulation, side).content_hash
        return load(self._registry.text_of(simulation.model_id, content_hash))


def _next_shard(place: Place, since: str) -> Place | None:
    """The next shard of the day, or the first one of the day before; None before the first day."""
    if place.shard + 1 < SHARDS:
        return Place(day=place.day, shard=place.shard + 1)
    before = (date.fromisoformat(place.day) - timedelta(days=1)).isoformat()
    return Place(day=before, shard=0) if before >= since else None


def _key(model_id: str, content_hash: str, simulation_id: str) -> str:
    return f"simulations/{model_id}/{content_hash.removeprefix('sha256:')}/{simulation_id}.json"
