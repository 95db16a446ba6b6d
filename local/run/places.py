"""Files and ports of one instance of the platform."""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from run.errors import RunError

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_PORT = 4566
INSTITUTIONS = 11
_OWN = (
    "cloud", "localstack", "institutions", "logs", "institutions.json", "users.key", "authenticators", "token",
    "running.json", "parameters.json", "address-book.json",
)  # fmt: skip


@dataclass(frozen=True)
class Ports:
    """A block of ports on 127.0.0.1: the cloud first, then the institutions."""

    first: int = DEFAULT_PORT

    @property
    def cloud(self) -> int:
        return self.first

    @property
    def institutions(self) -> int:
        return self.first + 1

    @property
    def guest(self) -> int:
        """For a developer's own source: channels may call it, and nothing of ours listens there."""
        return self.first + 1 + INSTITUTIONS

    def all(self) -> list[int]:
        return list(range(self.first, self.first + 1 + INSTITUTIONS))


@dataclass(frozen=True)
class Places:
    """Files of one instance, all below ``state_dir``."""

    state_dir: Path

    @property
    def cloud(self) -> Path:
        return self.state_dir / "cloud"

    @property
    def institutions(self) -> Path:
        """Configuration shared by the institutions; contains keys."""
        return self.state_dir / "institutions.json"

    @property
    def institutions_state(self) -> Path:
        return self.state_dir / "institutions"

    @property
    def user_key(self) -> Path:
        """The key that local users' passwords are derived from."""
        return self.state_dir / "users.key"

    @property
    def token(self) -> Path:
        return self.state_dir / "token"

    @property
    def running(self) -> Path:
        """Where the running platform and its users are found (`run.running`)."""
        return self.state_dir / "running.json"

    def forget(self) -> None:
        """Delete the files of earlier runs, and nothing else."""
        for name in _OWN:
            path = self.state_dir / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        return self.state_dir / "logs" / f"{name}.log"

    def lock(self) -> IO[str]:
        """Lock the state directory for this process, until the file is closed.

        Raises:
            RunError: another process uses it.
        """
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self.state_dir.chmod(0o700)
        held = (self.state_dir / "lock").open("a+")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held.seek(0)
            owner = held.read().strip() or "unknown"
            held.close()
            raise RunError(
                f"The platform already runs from {self.state_dir} (process {owner}); stop it first."
            ) from None
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        return held

    def is_locked(self) -> bool:
        """Whether a process runs from here."""
        try:
            with (self.state_dir / "lock").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
