"""What can go wrong with a start, told so that a newcomer can act on it."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

import psutil


class RunError(Exception):
    """The platform could not be started or went away; the message says what to do."""


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log file, indented."""
    if not log.exists():
        return ""
    return "\n".join(f"    {line}" for line in log.read_text("utf-8", "replace").splitlines()[-lines:])


def require_ports(ports: Iterable[int]) -> None:
    """Make sure that nobody listens on these ports of 127.0.0.1.

    Raises:
        RunError: naming the port and, where the system tells, the program on it.
    """
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise RunError(
                    f"Port {port} on 127.0.0.1 is taken{_by_whom(port)}. Stop what listens there, or choose other ports "
                    f"with --port (this one is part of the block that begins there)."
                ) from None


def _by_whom(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass  # other users' sockets are not shown to everybody
    return ""
