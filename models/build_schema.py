"""The artefact's JSON Schema: ``python -m models.build_schema > models/artefact.schema.json``."""

from __future__ import annotations

import sys

from creditmesh.governance.document.schema import schema
from models.parts import laid_out

if __name__ == "__main__":
    sys.stdout.write(laid_out(schema()) + "\n")
