"""Enforces a call's total deadline.

A socket's time-out bounds each wait only: a server that sends a byte now and then could hold a call for hours.
"""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Self

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

# urllib3 would log the URL of an answer with a malformed head, and a URL may contain a taxpayer's id.
logging.getLogger("urllib3").setLevel(logging.ERROR)

_MARGIN_SECONDS = 0.05
"""Lets a wait that times out by itself report that first."""


class Watch:
    """Shuts down the connection of the current call at its deadline."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        """Whether the deadline has passed."""
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds + _MARGIN_SECONDS, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        self._token = _CURRENT.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _CURRENT.reset(self._token)
        self._timer.cancel()
        with self._lock:
            self._socket = None

    def take(self, connected: socket.socket | None) -> None:
        with self._lock:
            self._socket = connected
            self._shut()

    def _end(self) -> None:
        with self._lock:
            self.over = True
            self._shut()

    def _shut(self) -> None:
        if self.over and self._socket is not None:
            with suppress(OSError):  # already closed
                # Not the TLS socket's own shutdown, which changes the state that another thread is reading.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


_CURRENT: ContextVar[Watch | None] = ContextVar("watch", default=None)


def _watch(connected: socket.socket | None) -> None:
    if watch := _CURRENT.get():
        watch.take(connected)


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        _watch(self.sock)
        return super().getresponse()


class _TlsConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        _watch(self.sock)
        return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def watched(pools: urllib3.PoolManager) -> urllib3.PoolManager:
    """Watch a manager's connections."""
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return pools
