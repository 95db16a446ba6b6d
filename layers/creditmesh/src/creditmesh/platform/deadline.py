"""Ends a call at its deadline, whatever the other side does.

A socket's time-out bounds each single wait only: who sends a byte now and then, in the head as in the body, could hold
a call for hours.
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

# Of an answer with a malformed head it would warn with the URL, which may hold a taxpayer's id.
logging.getLogger("urllib3").setLevel(logging.ERROR)

_MARGIN_SECONDS = 0.05
"""A wait that times out by itself says so better."""


class Watch:
    """Shuts the connection of the call in progress once its time is over."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        """The time is over."""
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
        """Watch this socket."""
        with self._lock:
            self._socket = connected
            self._shut()

    def _end(self) -> None:
        with self._lock:
            self.over = True
            self._shut()

    def _shut(self) -> None:
        if self.over and self._socket is not None:
            with suppress(OSError):  # it is gone already
                # Not the TLS socket's own, which changes what another thread is reading from.
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
    """Let a manager's connections be watched."""
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return pools
