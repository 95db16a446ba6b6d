"""The supervisor: starts, brings back, ends; and the emulator's own refusals at start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cloud.supervisor import NotHealthy, PortTaken, Supervisor
from tests.support.processes import below, living

from .clouds import PYTHON, ROOT, Cloud, eventually, free_port

# Serves on the port it is given and has a child of its own, as the emulator has.
SERVER = """
import http.server, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """One with its logs in the test's directory."""
    made = Supervisor(tmp_path)
    yield made
    made.stop_all()


def start(supervisor: Supervisor, name: str = "web") -> tuple[str, int]:
    """Start the small server; returns its URL and process id."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    return url, supervisor.start(name, [sys.executable, "-c", SERVER, str(port)], {}, url)


def test_a_killed_child_is_back_within_two_seconds(supervisor: Supervisor) -> None:
    """On the same port."""
    url, pid = start(supervisor)
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    assert eventually(lambda: supervisor.pid("web") != pid and answers(url), 10)
    assert supervisor.restarts("web") == 1
    assert time.monotonic() - killed < 10  # two seconds on an idle machine


def answers(url: str) -> bool:
    """Whether the URL answers."""
    try:
        return bool(urllib.request.urlopen(url, timeout=1).status == 200)
    except OSError:
        return False


def test_a_child_that_is_not_to_be_revived_stays_away(supervisor: Supervisor) -> None:
    """One whose state went with it."""
    port = free_port()
    pid = supervisor.start(
        "web", [sys.executable, "-c", SERVER, str(port)], {}, f"http://127.0.0.1:{port}/", revive=False
    )
    start(supervisor, "other")
    for name in ("web", "other"):
        os.kill(supervisor.pid(name), signal.SIGKILL)
    assert eventually(lambda: supervisor.restarts("other") == 1, 10)
    assert (supervisor.pid("web"), supervisor.alive("web"), supervisor.restarts("web")) == (pid, False, 0)


def test_nothing_is_left_behind(supervisor: Supervisor) -> None:
    """Neither the child nor what it started."""
    _, pid = start(supervisor)
    family = [psutil.Process(pid), *below(pid)]
    assert len(family) == 2
    supervisor.stop_all()
    assert not living(family)


def test_a_taken_port_is_a_clear_error(supervisor: Supervisor) -> None:
    """It names the port and who holds it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortTaken, match=f"web needs port {port}.*{os.getpid()}"):
            supervisor.start("web", [sys.executable], {}, f"http://127.0.0.1:{port}/")


def test_a_child_that_does_not_start_shows_its_log(supervisor: Supervisor) -> None:
    """And is not tried for ever."""
    url = f"http://127.0.0.1:{free_port()}/"
    with pytest.raises(NotHealthy, match="no such module"):
        supervisor.start("web", [sys.executable, "-c", "raise SystemExit('no such module')"], {}, url, timeout=3)
    assert supervisor.names() == []


def test_emulator_refuses_a_taken_port() -> None:
    """One sentence, no traceback."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        environment = {**os.environ, "GATEWAY_PORT": str(holder.getsockname()[1]), "PYTHONPATH": str(ROOT / "local")}
        done = subprocess.run(
            [str(PYTHON), "-m", "cloud.server"], env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert "is taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_emulator_refuses_another_version() -> None:
    """The mends are written for one version."""
    program = "from cloud import server\nserver.MINISTACK_VERSION = '0.0.0'\nserver.require_version()\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "local")}
    done = subprocess.run([str(PYTHON), "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "mends ministack 0.0.0" in done.stderr


def test_emulator_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Where CREDITMESH_DIE_WITH_PARENT asks for it."""
    cloud = Cloud(tmp_path, mended=True)
    program = (
        "import os, subprocess, sys\n"
        f"env = dict(os.environ, GATEWAY_PORT='{cloud.port}', STATE_DIR={str(tmp_path)!r})\n"
        f"env.update(CREDITMESH_DIE_WITH_PARENT='1', PYTHONPATH={str(ROOT / 'local')!r})\n"
        f"print(subprocess.Popen([{str(PYTHON)!r}, '-m', 'cloud.server'], env=env).pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    emulator = psutil.Process(int(parent.stdout.readline()))
    assert eventually(cloud.healthy, 20)
    parent.kill()
    assert eventually(lambda: not living([emulator]), 10)
    parent.wait()
