"""Spark's daemon of Python workers, quick at small tasks (setting ``spark.python.daemon.module``).

Workers are forked from it, so what it imports no worker imports again. Before each task a worker forgets what it knows
about import paths, which makes Python 3.11 read pyspark's zip anew (nine tenths of a small task), and waits for
acknowledgements that the kernel delays. None of that is needed here: the archives do not change.
"""

from __future__ import annotations

import gc
import socket
import zipimport
from typing import Any

from pyspark import daemon

from creditmesh.risk import resident  # noqa: F401 - for the workers

_daemon: Any = daemon
_serve = _daemon.worker


def _worker(connection: socket.socket, authenticated: bool) -> int:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_QUICKACK"):  # Linux; it holds for a while only, hence for each task
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    code: int = _serve(connection, authenticated)
    return code


if __name__ == "__main__":
    zipimport.zipimporter.invalidate_caches = lambda self: None  # type: ignore[method-assign]
    _daemon.worker = _worker
    gc.collect()
    gc.freeze()  # what all workers share is no garbage
    gc.disable()  # a worker looks for garbage after each task
    _daemon.manager()
