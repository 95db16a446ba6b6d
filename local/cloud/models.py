"""The shipped models, signed as in a deployment."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any


def shipped(folder: Path) -> list[Path]:
    """The sealed artefacts of a folder; other files (schema, samples) have no ``content_hash``."""
    return [path for path in sorted(folder.glob("*.json")) if "content_hash" in _document(path)]


def keys(path: Path) -> tuple[str, str]:
    """A model's two keys: by file name, and by hash, where replays find it."""
    document = _document(path)
    digest = document["content_hash"].removeprefix("sha256:")
    return f"models/{path.name}", f"models/{document['model_id']}/{digest}.json"


def signed(kms: Any, key_id: str, path: Path) -> bytes:
    """The document of a file with a signature of its content hash by the KMS key ``key_id``."""
    document = _document(path)
    message = document["content_hash"].encode()
    made = kms.sign(KeyId=key_id, Message=message, MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256")
    signature = {
        "key_id": made["KeyId"],
        "algorithm": "ECDSA_SHA_256",
        "value": base64.b64encode(made["Signature"]).decode(),
    }
    return json.dumps({**document, "signature": signature}, ensure_ascii=False).encode()


def _document(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text(encoding="utf-8"))
    return document if isinstance(document, dict) else {}
