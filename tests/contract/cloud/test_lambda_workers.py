"""Contract of ``mends/lambda_workers``."""

from __future__ import annotations

import os
import signal
import threading
import time

from tests.support.processes import below, living

from .clouds import Cloud, eventually

FAILING = """
class CardExpired(Exception):
    pass

def handler(event, context):
    raise CardExpired("the card has expired")
"""
ENVIRONMENT = """
import os
def handler(event, context):
    return dict(os.environ)
"""
SLOW = """
import os, time
def handler(event, context):
    open(event["file"], "w").write(str(os.getpid()))
    time.sleep(event.get("seconds", 8))
"""


def test_error_has_its_class_and_stack(cloud: Cloud, name: str) -> None:
    """Retry and Catch by name need the exception's class."""
    cloud.function(name, FAILING)
    error = cloud.invoke(name)
    good = error["errorType"] == "CardExpired" and any("index.py" in line for line in error.get("stackTrace", []))
    cloud.verdict("lambda_workers", good and error["errorMessage"] == "the card has expired")


def test_error_leaves_the_worker_alive(cloud: Cloud, name: str) -> None:
    """As on AWS, where an exception does not cost a cold start."""
    cloud.function(name, "import os\ndef handler(event, context):\n    print('x')\n    raise ValueError(os.getpid())\n")
    first, second = (cloud.invoke(name)["errorMessage"] for _ in range(2))
    cloud.verdict("lambda_workers", first == second)


def test_environment_is_lambdas_own(cloud: Cloud, name: str) -> None:
    """Nothing of the emulator's environment reaches a function; the endpoint does."""
    cloud.function(name, ENVIRONMENT, Environment={"Variables": {"OWN": "1"}})
    seen = cloud.invoke(name)
    assert seen["OWN"] == "1"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert seen["AWS_ENDPOINT_URL"].endswith(str(cloud.port))
    cloud.verdict("lambda_workers", not {"STATE_DIR", "CREDITMESH_UNMENDED", "PYTHONPATH"} & set(seen))


def test_killed_worker_is_a_retryable_error_at_once(cloud: Cloud, name: str) -> None:
    """A crash in the middle of an invocation answers Runtime.ExitError and does not hang."""
    cloud.function(name, SLOW)
    file = cloud.state_dir / f"{name}.pid"

    def kill() -> None:
        eventually(lambda: file.exists() and file.read_text())
        os.kill(int(file.read_text()), signal.SIGKILL)

    threading.Thread(target=kill).start()
    started = time.monotonic()
    error = cloud.invoke(name, {"file": str(file)})
    assert time.monotonic() - started < 5
    cloud.verdict("lambda_workers", error["errorType"] == "Runtime.ExitError")
    file.unlink()
    assert cloud.invoke(name, {"file": str(file), "seconds": 0}) is None


def test_workers_are_bounded_and_leave_nothing_behind(mended: Cloud, name: str, tmp_path_factory: object) -> None:
    """Forty calls at once of a function limited to a few workers all succeed; no process outlives the emulator."""
    mended.function(name, "import time\ndef handler(event, context):\n    time.sleep(0.05)\n    return 1\n")
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(mended.invoke(name))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1] * 40
    assert len(below(mended.pid)) <= 56 + 8


def test_timeout_ends_the_invocation(mended: Cloud, name: str) -> None:
    """Sandbox.Timedout, as Lambda names it, and a fresh worker for the next call."""
    mended.function(name, SLOW, Timeout=1)
    file = mended.state_dir / f"{name}.pid"
    error = mended.invoke(name, {"file": str(file)})
    assert error["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in error["errorMessage"]
    assert mended.invoke(name, {"file": str(file), "seconds": 0}) is None


def test_no_worker_outlives_the_emulator(tmp_path: object) -> None:
    """Zygote and workers end with a killed emulator."""
    from pathlib import Path

    cloud = Cloud(Path(str(tmp_path)), mended=True).start()
    cloud.function("lasting", SLOW)
    assert cloud.invoke("lasting", {"file": str(cloud.state_dir / "pid"), "seconds": 0}) is None
    workers = below(cloud.pid)
    assert len(workers) >= 2
    cloud.kill()
    assert eventually(lambda: not living(workers), 5)
