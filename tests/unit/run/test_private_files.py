"""What `make run` writes is its owner's alone."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

from cloud.supervisor import Supervisor
from run.places import Places, write_private


def test_nobody_else_enters_the_folder_of_the_files(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with Places(tmp_path).lock():
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_secret_is_private_from_its_first_byte(tmp_path: Path) -> None:
    write_private(tmp_path / "deep" / "key", "secret")
    assert stat.S_IMODE((tmp_path / "deep" / "key").stat().st_mode) == 0o600


def test_what_a_program_writes_is_private(tmp_path: Path) -> None:
    """The embedded cloud's keys that sign tokens are such files."""
    supervisor = Supervisor(tmp_path / "logs")
    write = f"""import pathlib, time
place = pathlib.Path({str(tmp_path)!r})
(place / "key").touch()
(place / "sub").mkdir()
time.sleep(60)"""
    try:
        supervisor.start("writer", [sys.executable, "-c", write], {}, None, revive=False)
        while not (tmp_path / "sub").exists():
            assert supervisor.alive("writer")
    finally:
        supervisor.stop_all()
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "sub").stat().st_mode) == 0o700
