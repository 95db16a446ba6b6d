"""Checks whether a built layer can run on Lambda: size, byte-code, architecture of shared objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aws.target import Refused

# AWS Lambda's quota of a function's code and layers together, unpacked. The functions themselves are small.
MOST_BYTES = 250 * 1024 * 1024
_ELF = b"\x7fELF"
_MACHINES = {0x3E: "x86-64", 0xB7: "arm64", 0x03: "x86"}  # ELF header, e_machine
WANTED = "arm64"


@dataclass(frozen=True)
class Layer:
    """Result of the check."""

    size: int
    objects: int
    compiled: int

    def __str__(self) -> str:
        byte_code = (
            f"byte-code of {self.compiled} modules"
            if self.compiled
            else "no byte-code (no Python 3.13 on this machine), so each cold start compiles what it imports"
        )
        return f"{self.size / 1024 / 1024:.0f} MB unpacked, {self.objects} shared objects, all {WANTED}; {byte_code}"


def machine(path: Path) -> str | None:
    """The architecture of an ELF file; None for other files."""
    with path.open("rb") as file:
        header = file.read(20)
    if len(header) < 20 or not header.startswith(_ELF):
        return None
    order = "little" if header[5] == 1 else "big"
    number = int.from_bytes(header[18:20], order)  # type: ignore[arg-type]
    return _MACHINES.get(number, f"machine {number}")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def check(folder: Path, most_bytes: int = MOST_BYTES) -> Layer:
    """Size and architecture of the layer below ``folder``.

    Raises:
        Refused: empty, too large, or with code of another architecture.
    """
    size = objects = compiled = 0
    for path in _files(folder):
        size += path.stat().st_size
        compiled += path.suffix == ".pyc"
        kind = machine(path)
        if kind is None:
            continue
        objects += 1
        if kind != WANTED:
            raise Refused(f"{path.relative_to(folder)} in the layer is for {kind}, Lambda runs {WANTED}.")
    if not size:
        raise Refused(f"The layer in {folder} is empty.")
    if size > most_bytes:
        raise Refused(
            f"The layer is {size / 1024 / 1024:.0f} MB unpacked; Lambda takes {most_bytes // 1024 // 1024} MB."
        )
    return Layer(size, objects, compiled)
