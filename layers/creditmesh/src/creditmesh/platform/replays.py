"""Replays of what got stuck, at an operator's word; where money moves, a second person must confirm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Conflict, NotFound, SamePerson
from creditmesh.platform.tables import Item, Ref, Tables, Update

MOST_STEPS = 100
"""Steps of an item after which no replay is asked for: an item takes 400 KB, a step up to 1.5 KB."""


class NotReplayable(Conflict):
    """It cannot be replayed (now), or its replay waits for nobody."""

    code = "not_replayable"


class ReplayedTooOften(Conflict):
    """So many steps have been taken that another replay would not help either."""

    code = "replayed_too_often"


class ReplayAsked(BaseModel):
    """A replay that waits for a second person."""

    model_config = ConfigDict(frozen=True)

    by: str
    at: str
    note: str


class ReplayStep(ReplayAsked):
    """What a person did about a replay."""

    act: str = Field(description="asked, confirmed, refused, or replayed by one person")


class Replayable(BaseModel):
    """What all that can be replayed shows of it."""

    replay: ReplayAsked | None = Field(default=None, description="waits for another person")
    replays: list[ReplayStep] = []


class Replays:
    """Replays of the items of one table, which have an attribute `state`.

    Args:
        kind: what an item is, for messages.
        ref: the item that an id names.
        check: raises NotReplayable unless the item can be replayed now.
        moves_money: whether two persons are needed.
        act: replays the item; returns the attributes to set, and is harmless to repeat.
    """

    def __init__(
        self,
        tables: Tables,
        clock: Clock,
        kind: str,
        ref: Callable[[str], Ref],
        check: Callable[[Item], None],
        moves_money: Callable[[Item], bool],
        act: Callable[[Item], Mapping[str, Any]],
    ) -> None:
        self._tables, self._clock, self._kind, self._ref = tables, clock, kind, ref
        self._check, self._moves_money, self._act = check, moves_money, act

    def get(self, item_id: str) -> Item:
        """An item.

        Raises:
            NotFound: no such item.
        """
        ref = self._ref(item_id)
        found = self._tables.get(ref.table, ref.key)
        if found is None:
            raise NotFound("no such {kind}", field="id", kind=self._kind)
        return found

    def ask(self, item_id: str, by: str, note: str) -> Item:
        """Replay an item, or ask for it where money moves.

        Raises:
            NotReplayable: it cannot be replayed, or its replay has been asked for.
            ReplayedTooOften: its history is full.
        """
        item = self.get(item_id)
        self._check(item)
        if len(item.get("replays", ())) >= MOST_STEPS:
            raise ReplayedTooOften("it was replayed too often")
        if "replay" in item:
            raise NotReplayable("its replay has been asked for and waits for another person")
        if not self._moves_money(item):
            return self._done(item_id, item, self._step("replayed", by, note))
        step = self._step("asked", by, note)
        asked = {name: step[name] for name in ReplayAsked.model_fields}
        return self._write(item_id, item, {"replay": asked}, step)

    def decide(self, item_id: str, by: str, *, confirm: bool, note: str) -> Item:
        """Confirm or refuse a replay that was asked for.

        Raises:
            NotReplayable: none is asked for, or the item cannot be replayed any more.
            SamePerson: who asked cannot confirm.
        """
        item = self.get(item_id)
        asked = item.get("replay")
        if asked is None:
            raise NotReplayable("no replay has been asked for")
        if not confirm:
            return self._write(item_id, item, {}, self._step("refused", by, note))
        if asked["by"] == by:
            raise SamePerson("another person must confirm what you have asked for")
        self._check(item)
        return self._done(item_id, item, self._step("confirmed", by, note))

    def _done(self, item_id: str, item: Item, step: dict[str, str]) -> Item:
        return self._write(item_id, item, self._act(item), step)

    def _write(self, item_id: str, item: Item, values: Mapping[str, Any], step: dict[str, str]) -> Item:
        """Record the step, unless somebody has taken another meanwhile."""
        ref, asked = self._ref(item_id), item.get("replay")
        same = {"state": item["state"], **({"replay.at": asked["at"], "replay.by": asked["by"]} if asked else {})}
        return self._tables.update(
            Update(
                ref.table, ref.key, values, remove=("replay",) if asked and "replay" not in values else (),
                append={"replays": [step]}, where=same, absent=() if asked else ("replay",),
            )
        )  # fmt: skip

    def _step(self, act: str, by: str, note: str) -> dict[str, str]:
        return {"act": act, "by": by, "at": iso(self._clock.now()), "note": note}
