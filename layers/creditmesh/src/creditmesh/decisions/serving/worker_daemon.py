"""Spark's daemon of Python workers, optimised for small tasks (setting ``spark.python.daemon.module``).

Workers are forked from it and share its imports. Otherwise two things dominate a small task: before each task a worker
invalidates its import caches, so that Python 3.11 reads the directory of pyspark's zip again (the archives never
change), and it waits for TCP acknowledgements that the kernel delays.
"""

from __future__ import annotations

import gc
import socket
import zipimport
from typing import Any

from pyspark import daemon

from creditmesh.decisions.serving import batches  # noqa: F401 - for the workers

_daemon: Any = daemon
_serve = _daemon.worker


def _worker(connection: socket.socket, authenticated: bool) -> int:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_QUICKACK"):  # Linux only; not permanent, hence set for each task
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    code: int = _serve(connection, authenticated)
    return code


if __name__ == "__main__":
    zipimport.zipimporter.invalidate_caches = lambda self: None  # type: ignore[method-assign]
    _daemon.worker = _worker
    gc.collect()
    gc.freeze()
    gc.disable()  # pyspark's daemon collects after each task
    _daemon.manager()
