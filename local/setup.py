"""Install what `make run` and `make test` need, from PyPI alone.

Safe to repeat; a repeat with nothing changed takes under a second.

Only the standard library: this is the first thing a fresh clone runs. Environments made (all inside the clone):

* ``.venv``: the developer's tools, the tests, the institutions, the `make run` client.
* ``.venvs/cloud``: the emulator, which pins botocore exactly.
* ``.venvs/spark``: what an EMR Serverless worker carries.
* ``.venvs/lambda``: an empty interpreter, so that a function sees nothing but its layer.
* ``.venvs/localstack``, with ``--with localstack`` only: LocalStack's core in host mode.
* ``.venvs/peers``, with ``--with peers`` only: other scorecard libraries, for the benchmarks.
* ``.venvs/sam``, with ``--with sam`` only: AWS SAM CLI, for `make check`.
* ``.venvs/docs``, with ``--with docs`` only: Sphinx, for `make docs`.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV_VERSION = "0.13.9"
ENVIRONMENTS = {  # folder -> lock file (None: stays empty)
    ".venv": "dev.txt",
    ".venvs/cloud": "cloud.txt",
    ".venvs/spark": "spark.txt",
    ".venvs/lambda": None,
}
# What few need, made with `--with NAME`: name -> folder and lock file.
ON_DEMAND = {
    "localstack": (".venvs/localstack", "localstack.txt"),
    "peers": (".venvs/peers", "peers.txt"),
    "sam": (".venvs/sam", "sam.txt"),
    "docs": (".venvs/docs", "docs.txt"),
}
# lock file -> how `uv pip compile` makes it
LOCKS = {
    "layer.txt": ["pyproject.toml"],
    "dev.txt": ["pyproject.toml", "--group", "dev", "-c", "locks/layer.txt"],
    "cloud.txt": ["--group", "cloud", "-c", "locks/layer.txt"],
    "spark.txt": ["--group", "spark", "-c", "locks/layer.txt"],
    "java.txt": ["--group", "java"],
    "localstack.txt": ["--group", "localstack"],
    "sam.txt": ["--group", "sam"],
    "docs.txt": ["--group", "docs"],
    # Unconstrained: scorecardpy needs a setuptools that still has pkg_resources.
    "peers.txt": ["--group", "peers"],
}


def fail(message: str) -> None:
    """End with one clear sentence instead of a traceback."""
    sys.exit(f"set-up cannot go on: {message}")


def uv() -> str:
    """Path of the pinned uv, installed into an environment of its own on first use."""
    home = ROOT / ".venvs" / "uv"
    binary = home / "bin" / "uv"
    if not binary.exists() or UV_VERSION not in _output([str(binary), "--version"]):
        try:
            venv.create(home, with_pip=True, clear=True)
        except (subprocess.CalledProcessError, ImportError):
            fail("Python's venv module cannot make an environment; on Debian or Ubuntu: apt-get install python3-venv")
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        if subprocess.run([*pip, f"uv=={UV_VERSION}"], check=False).returncode:
            fail(f"pip could not install uv=={UV_VERSION}; is a Python package index reachable?")
    return str(binary)


def sync(tool: str, folder: str, requirements: list[str], *, editable: bool) -> bool:
    """Make ``folder`` hold exactly ``requirements``; True if anything was to be done."""
    home = ROOT / folder
    stamp = home / ".installed"
    wanted = hashlib.sha256(sys.version.encode())
    for name in requirements:
        wanted.update((ROOT / "locks" / name).read_bytes())
    if stamp.exists() and stamp.read_text() == wanted.hexdigest():
        return False
    print(f"  installing {folder} ...", flush=True)
    _run([tool, "venv", "-q", "--clear", "--python", sys.executable, str(home)])
    python = str(home / "bin" / "python")
    if requirements:
        files = [str(ROOT / "locks" / name) for name in requirements]
        _run([tool, "pip", "sync", "-q", "--require-hashes", "--python", python, *files])
    if editable:
        _run([tool, "pip", "install", "-q", "--no-deps", "--python", python, "-e", str(ROOT)])
    stamp.write_text(wanted.hexdigest())
    return True


def lock(tool: str) -> None:
    """Resolve every lock again, without index addresses, for all platforms we serve."""
    for name, source in LOCKS.items():
        _run([tool, "pip", "compile", "-q", "--universal", "--python-version", "3.11", "--generate-hashes",
              "--no-header", *source, "-o", f"locks/{name}"])  # fmt: skip


def _run(command: list[str]) -> None:
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        fail(f"`{' '.join(command[:4])} …` failed; its message stands above")


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def main() -> None:
    """Bring every environment up to date."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lock", action="store_true", help="resolve the lock files")
    arguments.add_argument("--with", dest="extras", action="append", default=[], choices=sorted(ON_DEMAND),
                           help="also make an environment that few need")  # fmt: skip
    options = arguments.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 (an older Python is to be told, not shown a traceback)
        fail(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; name another with PYTHON=…")
    from cloud.java import machine_java  # standard library only, but written for the Python that was just checked

    tool = uv()
    if options.lock:
        lock(tool)
        return
    for folder, name in ENVIRONMENTS.items():
        requirements = [name] if name else []
        if folder in (".venv", ".venvs/spark") and not machine_java():
            requirements.append("java.txt")
        sync(tool, folder, requirements, editable=folder == ".venv")
    for folder, name in (ON_DEMAND[extra] for extra in options.extras):
        sync(tool, folder, [name], editable=False)


if __name__ == "__main__":
    main()
