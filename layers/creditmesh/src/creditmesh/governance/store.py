"""Versions and the pointer in the table `Models`, documents in the bucket of artefacts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic_core import to_jsonable_python

from creditmesh.decisions.serving.stored_models import CURRENT, object_key
from creditmesh.governance.model import Change, Current, ModelVersion, Outdated, UnknownVersion
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Parameter
from creditmesh.platform.objects import Objects
from creditmesh.platform.tables import ConditionFailed, Item, Put, Tables, Update

LATEST = "latest"
"""Sort key of the record with the highest version proposed."""
NONE: Mapping[str, Parameter] = MappingProxyType({})
_VERSION = "version#"
_TEXTS = ("evidence", "tests", "gates", "promotion")
"""Stored as JSON texts, since they may contain fractions and any depth."""


@dataclass(frozen=True)
class Act:
    """A change of one version: a line of its history, and attributes to set (None: to remove)."""

    version: ModelVersion
    what: str
    note: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """Of `what`, where the platform knows more than who and when."""


class ModelStore:
    """One table and one bucket; every change is conditional on what was read."""

    def __init__(self, tables: Tables, table: str, objects: Objects, clock: Clock) -> None:
        self._tables, self._table, self._objects, self._clock = tables, table, objects, clock

    def get(self, model_id: str, content_hash: str) -> ModelVersion:
        """One version.

        Raises:
            UnknownVersion: never proposed.
        """
        found = self._tables.get(self._table, _key(model_id, _VERSION + content_hash))
        if found is None:
            raise UnknownVersion("no such version", field="content_hash")
        return _version(found)

    def versions(self, model_id: str) -> list[ModelVersion]:
        """All versions, unordered."""
        found = self._tables.query(self._table, "model_id", model_id, after=("record", _VERSION), consistent=True)
        return [_version(item) for item in found]

    def current(self, model_id: str) -> Current | None:
        """The pointer; None while the shipped model decides and nothing was proposed."""
        found = self._tables.get(self._table, _key(model_id, CURRENT))
        return Current.model_validate(found) if found else None

    def latest(self, model_id: str) -> str | None:
        found = self._tables.get(self._table, _key(model_id, LATEST))
        return str(found["number"]) if found else None

    def add(self, version: ModelVersion, after: str | None) -> None:
        """Write a new version, which becomes the highest; ``after`` is the highest so far.

        Raises:
            Outdated: another version was proposed concurrently.
        """
        try:
            self._tables.transact([self._put(version), self._latest(version, after)], version.content_hash)
        except ConditionFailed:
            raise Outdated("another version was proposed concurrently") from None

    def adopt(self, version: ModelVersion) -> None:
        """Write the shipped model as the first champion; idempotent."""
        first = Current(model_id=version.model_id, champion=version.content_hash, revision=1, since=version.created_at)
        pointer = Put(self._table, {**_key(version.model_id, CURRENT), **first.model_dump()}, "model_id")
        try:
            self._tables.transact([self._put(version), self._latest(version, None), pointer], version.content_hash)
        except ConditionFailed:
            return

    def change(self, act: Act, by: str) -> ModelVersion:
        """Change one version; returns the updated version.

        Raises:
            Outdated: changed concurrently.
        """
        try:
            return _version(self._tables.update(self._update(act, by)))
        except ConditionFailed:
            raise Outdated("the version was changed concurrently") from None

    def point(self, current: Current, by: str, acts: Sequence[Act], **pointer: str | None) -> Current:
        """Change the pointer and the affected versions in one transaction; returns the updated pointer.

        Args:
            pointer: new values of champion, previous or challenger.

        Raises:
            Outdated: one of them was changed concurrently.
        """
        after = current.model_copy(update={**pointer, "revision": current.revision + 1})
        if after.champion != current.champion:
            after = after.model_copy(update={"since": iso(self._clock.now())})
        values = after.model_dump(exclude={"model_id"})
        update = Update(
            self._table,
            _key(current.model_id, CURRENT),
            set=values,
            remove=[name for name, value in values.items() if value is None],
            where={"revision": current.revision},
        )
        try:
            self._tables.transact(
                [update, *(self._update(act, by) for act in acts)], f"{current.model_id} {after.revision}"
            )
        except ConditionFailed:
            raise Outdated("the champion, its challenger or a version was changed concurrently") from None
        return after

    def put_document(self, model_id: str, content_hash: str, document: Mapping[str, Any]) -> None:
        self._objects.put_json(object_key(model_id, content_hash), document)

    def line(self, by: str, what: str, note: str = "", parameters: Mapping[str, Parameter] = NONE) -> Change:
        """A line of history with the current time."""
        return Change(at=iso(self._clock.now()), by=by, what=what, note=note, parameters=dict(parameters))

    def _put(self, version: ModelVersion) -> Put:
        item = {**_key(version.model_id, _VERSION + version.content_hash), **_plain(version.model_dump(mode="json"))}
        return Put(self._table, item, "model_id")

    def _latest(self, version: ModelVersion, after: str | None) -> Put | Update:
        key, value = _key(version.model_id, LATEST), {"number": version.version}
        if after is None:
            return Put(self._table, {**key, **value}, "model_id")
        return Update(self._table, key, set=value, where={"number": after})

    def _update(self, act: Act, by: str) -> Update:
        version = act.version
        values = _plain(to_jsonable_python(dict(act.values)))
        return Update(
            self._table,
            _key(version.model_id, _VERSION + version.content_hash),
            set={**values, "revision": version.revision + 1},
            remove=[name for name, value in values.items() if value is None],
            append={"history": [self.line(by, act.what, act.note, act.parameters).model_dump()]},
            where={"revision": version.revision, "state": version.state.value},
        )


def _key(model_id: str, record: str) -> dict[str, str]:
    return {"model_id": model_id, "record": record}


def _plain(values: Mapping[str, Any]) -> Item:
    return {
        name: json.dumps(value, ensure_ascii=False) if name in _TEXTS and value is not None else value
        for name, value in values.items()
    }


def _version(item: Item) -> ModelVersion:
    texts = {name: json.loads(item[name]) for name in _TEXTS if name in item}
    return ModelVersion.model_validate({**item, **texts})
