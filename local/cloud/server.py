"""Start the embedded cloud: ``python -m cloud.server`` with the environment of ``docs/reference/embedded-cloud.md``."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
import signal
import socket
import sys
import threading
import time

from cloud.config import MINISTACK_VERSION, Config


def require_version() -> None:
    """Exit with a message if the installed MiniStack is not the pinned version."""
    try:
        found = importlib.metadata.version("ministack")
    except importlib.metadata.PackageNotFoundError:
        sys.exit("The embedded cloud needs ministack, which is not installed here; run `make setup`.")
    if found != MINISTACK_VERSION:
        sys.exit(
            f"The embedded cloud mends ministack {MINISTACK_VERSION}, but {found} is installed; run `make setup`, "
            "or move the pin in pyproject.toml and local/cloud/config.py once tests/contract/cloud passes."
        )


def require_port(port: int) -> None:
    """Exit with a message if ``port`` is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            sys.exit(f"Port {port} on 127.0.0.1 is taken; stop what listens there or set GATEWAY_PORT to a free port.")


def die_with_parent() -> None:
    """If asked to, stop in order when the process that started us ends.

    The kernel's parent-death signal would come when the *thread* that started us ends.
    """
    if os.environ.get("CREDITMESH_DIE_WITH_PARENT") != "1":
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="cloud-parent", daemon=True).start()


async def run(config: Config, mended: bool) -> None:
    """Serve until SIGTERM or SIGINT, then stop in order."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    from cloud import gateway, http, upstream

    async def long_way(*_: object) -> None:
        return None

    await http.serve(upstream.app.app, gateway.fast if mended else long_way, "127.0.0.1", config.port, stop)


def main() -> None:
    require_version()
    config = Config.from_environment()
    require_port(config.port)
    die_with_parent()
    config.state_dir.mkdir(parents=True, exist_ok=True)
    os.environ.update(config.upstream_environment())
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    mended = os.environ.get("CREDITMESH_UNMENDED") != "1"
    if mended:
        from cloud import mends

        mends.apply_all(config)
    asyncio.new_event_loop().run_until_complete(run(config, mended))
    if mended:
        mends.shut_down()
    logging.shutdown()
    os._exit(0)  # a normal exit would wait for ever for threads of waiting executions


if __name__ == "__main__":
    main()
