"""The artefact's JSON Schema: ``python -m models.build_schema > models/artefact.schema.json``."""

from __future__ import annotations

import json
import sys

from creditmesh.governance.document import schema

if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), ensure_ascii=False, indent=1) + "\n")
