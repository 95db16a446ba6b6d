"""A process's view of the current models: checked every few seconds, loaded once, verified.

A corrupt or unsigned model is refused and logged with its hash and the broken rule; the last good one stays in use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from creditmesh.decisions.serving.stored_models import Pointer, StoredModels
from creditmesh.risk.artefact import Artefact
from creditmesh.risk.errors import ArtefactInvalid

Log = Callable[[Mapping[str, Any]], None]
_KEPT = 4
"""Number of versions kept per process: champion, previous, challenger, and one of an old decision."""


class Champion:
    """Provides the champion, the challenger and any version by hash.

    Args:
        stored: where models are stored.
        seconds: how long the pointer is cached.
        log: takes a flat record about each refused version.
        transient: errors of the clients when a service does not answer; the last good model stays in use.
    """

    def __init__(
        self,
        stored: StoredModels,
        *,
        log: Log,
        seconds: float = 5.0,
        transient: tuple[type[Exception], ...] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stored, self._seconds, self._log = stored, seconds, log
        self._transient, self._monotonic = transient, monotonic
        self._kept: dict[str, Artefact] = {}
        self._shipped: Artefact | None = None
        self._refused: set[str] = set()
        self._champion: Artefact | None = None
        self._pointer = Pointer()
        self._looked = float("-inf")

    def __call__(self) -> Artefact:
        """The current model.

        Raises:
            ArtefactInvalid: there is no good one, and this process never had one.
        """
        # After the clock was set back, read again.
        if self._champion is None or not 0 <= self._monotonic() - self._looked < self._seconds:
            self._look()
        if self._champion is None:
            raise ArtefactInvalid("$", "no valid current or previous model")
        return self._champion

    def of(self, content_hash: str) -> Artefact:
        """The version with that hash, current or not.

        Raises:
            ArtefactInvalid: missing or altered.
        """
        if content_hash not in self._kept:
            self._keep(self._stored.load(content_hash))
        return self._kept[content_hash]

    def challenger(self) -> Artefact | None:
        """The challenger, as of the last read of the pointer; None if there is none or it is invalid."""
        if self._pointer.challenger is None:
            return None
        try:
            return self._good(self._pointer.challenger)
        except self._transient:
            return None

    def _look(self) -> None:
        """Load what the pointer names; without a last good model, the previous champion."""
        try:
            self._pointer = self._stored.pointer()
            champion = self._good(self._pointer.champion)
            if champion is None and self._champion is None and self._pointer.previous:
                champion = self._good(self._pointer.previous)
        except self._transient as error:
            if self._champion is None:
                raise
            self._log({"event": "model_not_looked_up", "error": type(error).__name__})
            champion = None
        self._champion = champion or self._champion
        self._looked = self._monotonic()

    def _good(self, content_hash: str | None) -> Artefact | None:
        if content_hash is None and self._shipped is not None:
            return self._shipped
        if content_hash in self._kept:
            return self._kept[content_hash]
        try:
            artefact = self._keep(self._stored.load(content_hash))
        except ArtefactInvalid as error:
            self._refuse(content_hash or "shipped", error)
            return None
        if content_hash is None:
            self._shipped = artefact
        return artefact

    def _refuse(self, content_hash: str, error: ArtefactInvalid) -> None:
        """Log a refused version, once."""
        if content_hash not in self._refused:
            self._refused.add(content_hash)
            self._log({"event": "model_refused", "model_hash": content_hash, "path": error.path, "rule": error.rule})

    def _keep(self, artefact: Artefact) -> Artefact:
        self._refused.discard(artefact.content_hash)
        in_use = {self._pointer.champion, self._pointer.previous, self._pointer.challenger}
        for name in [name for name in self._kept if name not in in_use][: max(0, len(self._kept) - _KEPT + 1)]:
            del self._kept[name]
        self._kept[artefact.content_hash] = artefact
        return artefact
