"""Each substitution is needed by the installed LocalStack and does what it says; an upgrade shows what is needless."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from localstack_host.config import PYTHONPATH
from run.places import ROOT

pytestmark = pytest.mark.thorough

PYTHON = ROOT / ".venvs" / "localstack" / "bin" / "python"

if not PYTHON.exists():
    pytest.skip("needs LocalStack: python3 local/setup.py --with localstack", allow_module_level=True)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bool]]:
    """What the probes found without and with the substitutions."""
    environment = {
        **os.environ, "PYTHONPATH": PYTHONPATH, "CREDITMESH_LOCALSTACK_PORT": "1",
        "CREDITMESH_LOCALSTACK_STATE": str(tmp_path_factory.mktemp("localstack")), "CREDITMESH_FORWARD_TO": "http://127.0.0.1:1",
    }  # fmt: skip
    probe = Path(__file__).with_name("upstream_probe.py")
    done = subprocess.run([PYTHON, probe], env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, dict[str, bool]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_upstream_needs_every_substitution(verdicts: dict[str, dict[str, bool]]) -> None:
    assert [name for name, good in verdicts["before"].items() if good] == []


def test_every_substitution_works(verdicts: dict[str, dict[str, bool]]) -> None:
    assert [name for name, good in verdicts["after"].items() if not good] == []
    assert len(verdicts["after"]) >= 8
