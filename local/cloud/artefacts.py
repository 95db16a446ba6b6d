"""Unpacked Lambda code and layers, each content once, shared by all workers."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import threading
import zipfile
from pathlib import Path


class Unpacked:
    """Directories under ``root`` named by the content's SHA-256; a complete one is never written again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        root.mkdir(parents=True, exist_ok=True)

    def directory(self, archive: bytes, code_sha256: str | None = None) -> str:
        """The directory with the unpacked ``archive``.

        Args:
            archive: the zip file.
            code_sha256: its base64 SHA-256 if known, so that large layers are not hashed for each worker.
        """
        digest = base64.b64decode(code_sha256).hex() if code_sha256 else hashlib.sha256(archive).hexdigest()
        target = self.root / digest
        with self._lock:
            if not target.is_dir():
                self._unpack(archive, target)
        return str(target)

    def _unpack(self, archive: bytes, target: Path) -> None:
        part = target.with_name(f"{target.name}.part-{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        with zipfile.ZipFile(io.BytesIO(archive)) as content:
            content.extractall(part)  # zipfile itself drops absolute paths and ".."
            for entry in content.infolist():
                if (mode := entry.external_attr >> 16) & 0o111:
                    (part / entry.filename).chmod(mode & 0o777)
        part.rename(target)


def python_paths(layer: str) -> list[str]:
    """The directories of an unpacked layer that Lambda puts on a Python function's path, in Lambda's order."""
    base = Path(layer) / "python"
    packages = [str(path) for path in sorted(base.glob("lib/python3*/site-packages"))]
    return [*packages, str(base)] if base.is_dir() else []
