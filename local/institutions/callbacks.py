"""Delivery of an institution's callbacks: at least once, signed, retried with backoff, resumed after a restart."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import urllib3

from institutions.callback_store import CallbackStore
from institutions.faults import Faults
from institutions.messages import headers
from institutions.spoil import drifted

_log = logging.getLogger("institutions.callbacks")
FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 30.0
AT_ONCE = 8
# Final refusals by the platform; any other failure is retried.
FINAL_REFUSALS = (400, 409, 410, 413, 422)
_TIMEOUT = urllib3.Timeout(connect=5.0, read=30.0)
_LONGEST_SLEEP_SECONDS = 5.0


class Deliverer:
    """Sends the store's due callbacks.

    Args:
        url: Where every callback goes.
        secrets: Signing secrets, separated by spaces.
    """

    def __init__(
        self,
        store: CallbackStore,
        faults: Faults,
        url: str,
        secrets: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._faults = faults
        self._url = url
        self._secrets = secrets
        self._clock = clock
        self._wake = asyncio.Event()
        self._http = urllib3.PoolManager(maxsize=AT_ONCE, retries=False)
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Check for new callbacks now."""
        self._wake.set()

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """Send while the server runs; the rest is sent after the next start."""
        task = asyncio.create_task(self.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def run(self) -> None:
        while True:
            self._wake.clear()
            self._start_due()
            # Not wait_for: before Python 3.12 it may swallow a cancellation that coincides with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_next()):
                    await self._wake.wait()

    def _start_due(self) -> None:
        free = AT_ONCE - len(self._under_way)
        if free <= 0:
            return
        due = self._store.due_callbacks(self._clock(), limit=AT_ONCE * 2)
        for callback in [one for one in due if one["webhook_id"] not in self._under_way][:free]:
            task = asyncio.create_task(self._deliver(callback))
            self._under_way[callback["webhook_id"]] = task
            task.add_done_callback(partial(self._done, callback["webhook_id"]))

    def _done(self, webhook_id: str, task: asyncio.Task[None]) -> None:
        del self._under_way[webhook_id]
        if not task.cancelled() and task.exception() is not None:
            _log.error("callback %s", webhook_id, exc_info=task.exception())
        self._wake.set()

    def _until_next(self) -> float:
        due = self._store.next_due()
        if due is None or len(self._under_way) >= AT_ONCE:
            return _LONGEST_SLEEP_SECONDS
        # Callbacks in progress are still due in the store, so avoid a busy loop.
        least = 0.05 if self._under_way else 0.0
        return min(_LONGEST_SLEEP_SECONDS, max(least, due - self._clock()))

    async def _deliver(self, callback: dict[str, Any]) -> None:
        attempts = callback["attempts"] + 1
        status = await self._send(callback)
        if status is not None and (200 <= status < 300 or status in FINAL_REFUSALS):
            state, due_at = ("delivered" if status < 300 else "refused"), callback["due_at"]
        else:
            state, due_at = "pending", self._clock() + _backoff_seconds(attempts)
        if state != "delivered":
            _log.warning(
                "callback %s (%s): attempt %d gave %s", callback["webhook_id"], callback["type"], attempts, status
            )
        self._store.set_callback(callback["webhook_id"], state=state, attempts=attempts, due_at=due_at, status=status)

    async def _send(self, callback: dict[str, Any]) -> int | None:
        """The response's status, or None without a response."""
        if self._faults.take(("drop",), callback["type"]):
            return 299
        body = callback["body"]
        drift = self._faults.take(("drift",), callback["type"])
        if drift is not None:
            body = drifted(body, "utf-8", drift.field or "data", drift.how)
        signed = headers(self._secrets, callback["webhook_id"], self._clock(), body)
        if self._faults.take(("wrong_signature",), callback["type"]):
            signed["webhook-signature"] = "v1," + "A" * 43 + "="
        return await asyncio.to_thread(self._post, body, signed)

    def _post(self, body: bytes, signed: dict[str, str]) -> int | None:
        try:
            answer = self._http.request("POST", self._url, body=body, headers=signed, timeout=_TIMEOUT, redirect=False)
        except urllib3.exceptions.HTTPError:
            return None
        return answer.status


def _backoff_seconds(attempts: int) -> float:
    longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(attempts - 1, 16))
    return longest * (0.5 + random.random() / 2)
