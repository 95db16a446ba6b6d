"""Switches the resident job to a new champion without a restart and without a stall.

A thread watches the pointer, and loads, verifies and warms up a new champion beside the current one; the worker
switches between two batches. A bad model is refused; the current one stays in use.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from creditmesh.decisions.serving.champion import Champion
from creditmesh.risk.artefact import Artefact

S = TypeVar("S")


class Reloader(Generic[S]):
    """Prepares champions in one thread for use in another.

    Args:
        prepare: creates a scorer for a model, ready for requests; may take long.
        running: the current scorer.
        errors: what ``prepare`` raises on failure.
    """

    def __init__(
        self,
        champion: Champion,
        prepare: Callable[[Artefact], S],
        running: Artefact,
        *,
        log: Callable[[Mapping[str, Any]], None],
        errors: tuple[type[Exception], ...] = (),
    ) -> None:
        self._champion, self._prepare, self._log, self._errors = champion, prepare, log, errors
        self._latest = running.content_hash
        self._prepared: tuple[S, Artefact] | None = None
        self._prepare_ms = 0
        self._lock = threading.Lock()
        self.challenger: Artefact | None = None

    def look(self) -> None:
        """Read the pointer once, and prepare a new champion."""
        wanted = self._champion()
        self.challenger = self._champion.challenger()
        if wanted.content_hash == self._latest:
            return
        began = time.monotonic()
        try:
            made = self._prepare(wanted)
        except self._errors as error:
            self._log({"event": "model_not_prepared", **_name(wanted), "error": type(error).__name__})
            return
        with self._lock:
            self._prepared, self._latest = (made, wanted), wanted.content_hash
            self._prepare_ms = round((time.monotonic() - began) * 1000)

    def take(self) -> tuple[S, Artefact] | None:
        """The champion prepared since the last call, if any; it then counts as the current one."""
        with self._lock:
            taken, self._prepared = self._prepared, None
        if taken:
            self._log({"event": "model_switched", **_name(taken[1]), "prepare_ms": self._prepare_ms})
        return taken

    def run(self, stop: threading.Event, seconds: float) -> None:
        """Check periodically until ``stop`` is set."""
        while not stop.wait(seconds):
            try:
                self.look()
            except Exception as error:  # if the thread ended, the old model would stay in use
                self._log({"event": "model_watch_failed", "error": type(error).__name__})


def _name(artefact: Artefact) -> dict[str, str]:
    return {"model": f"{artefact.model_id}-{artefact.version}", "model_hash": artefact.content_hash}
