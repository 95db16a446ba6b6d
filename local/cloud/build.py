"""The artefacts of a deployment: the Lambda layer, and the archives of Spark jobs.

Archives are reproducible: the same content gives the same bytes, so a second deployment has nothing to do.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time of the zip format
# The platform of Lambda; the host's own platform needs no arguments.
_STAGE = ["--python-platform", "aarch64-manylinux_2_28", "--python-version", "3.13"]
_STAGE_TAG = "cpython-313"
_BYTE_CODE_ELSEWHERE = ("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE")
_UNWANTED = ("__pycache__", "*.dist-info", "tests", "bin", "lib64", "include", "*.pyi")


def digest(paths: Iterable[Path], extra: str = "") -> str:
    """SHA-256 over names and contents of files and of all files below directories."""
    found = hashlib.sha256(extra.encode())
    for top in paths:
        for path in [top] if top.is_file() else _files(top):
            found.update(f"{path.name if path == top else path.relative_to(top)}\0{path.stat().st_size}\0".encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def archive(folder: Path, target: Path, *, byte_code: bool = False) -> None:
    """Zip ``folder``; include byte-code only if it was compiled for the target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and (byte_code or "__pycache__" not in path.parts):
                entry = zipfile.ZipInfo(str(path.relative_to(folder)), _EPOCH)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                file.writestr(entry, path.read_bytes())


def layer(root: Path, target: Path, *, stage: bool) -> bool:
    """Build ``target`` (``…/layer``, with ``python/`` below) from the layer's lock and the package.

    Args:
        root: the repository.
        target: the layer's directory.
        stage: build for AWS (arm64, Python 3.13) instead of this machine.

    Returns:
        False if it was up to date.

    Raises:
        subprocess.CalledProcessError: a package could not be installed.
    """
    source = root / "layers" / "creditmesh" / "src"
    compiler = stage_python() if stage else sys.executable
    wanted = digest([root / "locks" / "layer.txt", source, Path(__file__)], f"{stage} {sys.version} {bool(compiler)}")
    stamp = target.with_suffix(".stamp")
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    packages = target / "python"
    shutil.rmtree(target, ignore_errors=True)
    packages.mkdir(parents=True)
    uv = root / ".venvs" / "uv" / "bin" / "uv"
    install = [
        str(uv),
        "pip",
        "install",
        "-q",
        "--target",
        str(packages),
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
    ]
    platform = _STAGE if stage else ["--python", str(root / ".venvs" / "lambda" / "bin" / "python")]
    subprocess.run([*install, *platform, "-r", str(root / "locks" / "layer.txt")], check=True)
    shutil.copytree(source / "creditmesh", packages / "creditmesh", ignore=shutil.ignore_patterns("__pycache__"))
    _slim(packages)
    if compiler:
        compile_packages(packages, compiler)
    stamp.write_text(wanted)
    return True


def layer_archive(root: Path, build_dir: Path, *, stage: bool) -> str:
    """Build ``build_dir/layer.zip``, which template.yaml names, for the chosen platform.

    Returns:
        The fingerprint of its content.
    """
    folder = build_dir / ("layer-stage" if stage else "layer")
    layer(root, folder, stage=stage)
    fingerprint = folder.with_suffix(".stamp").read_text()
    target, packed = build_dir / "layer.zip", build_dir / "layer.zip.stamp"
    if not target.exists() or not packed.exists() or packed.read_text() != fingerprint:
        archive(folder, target, byte_code=True)
        packed.write_text(fingerprint)
    return fingerprint


@cache
def stage_python() -> str | None:
    """An interpreter of Lambda's version on this machine, or None; other versions' byte-code is useless."""
    named = shutil.which("python3.13")
    homes = (
        Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions",
        Path.home() / ".local/share/uv/python",
    )
    found = (path for home in homes for path in sorted(home.glob("*3.13*/bin/python3.13")))
    return first_of_tag([*([named] if named else []), *map(str, found)], _STAGE_TAG)


def first_of_tag(candidates: Iterable[str], tag: str) -> str | None:
    """The first interpreter that runs and uses this byte-code tag; a version manager's shim may do neither."""
    for candidate in candidates:
        command = [candidate, "-c", "import sys; print(sys.implementation.cache_tag)"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and done.stdout.strip() == tag:
            return candidate
    return None


def compile_packages(packages: Path, python: str) -> None:
    """Compile byte-code for sources that will be unpacked in ``/opt/python``.

    The byte-code is unchecked, because unpacking changes the sources' modification times. It is written beside the
    sources even if this process keeps its own elsewhere. Files that do not compile are left alone.

    Args:
        packages: the layer's ``python`` folder.
        python: the interpreter that will run it.
    """
    environment = {name: text for name, text in os.environ.items() if name not in _BYTE_CODE_ELSEWHERE}
    command = [python, "-m", "compileall", "-qq", "-j2", "-s", str(packages), "-p", "/opt/python"]
    mode = ["--invalidation-mode", "unchecked-hash"]
    subprocess.run([*command, *mode, str(packages)], env=environment, check=False)


def _slim(packages: Path) -> None:
    """Remove what no function reads: tests, scripts, headers, type stubs, most metadata."""
    for pattern in _UNWANTED:
        for path in packages.rglob(pattern):
            if pattern == "*.dist-info":
                _keep_metadata_only(path)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _keep_metadata_only(dist_info: Path) -> None:
    """Keep name, version and entry points, which ``importlib.metadata`` reads."""
    for path in sorted(dist_info.rglob("*"), reverse=True):
        if path.is_file() and path.name not in ("METADATA", "entry_points.txt", "top_level.txt"):
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def main() -> None:
    """Build the layer for AWS, or with ``--host`` for this machine, under ``build/``."""
    root = Path(__file__).resolve().parents[2]
    layer_archive(root, root / "build", stage="--host" not in sys.argv[1:])
    print(root / "build" / "layer.zip")


if __name__ == "__main__":
    main()
