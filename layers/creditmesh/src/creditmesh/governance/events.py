"""Changes of a model's versions as events of the platform's bus."""

from __future__ import annotations

from typing import Any

from creditmesh.platform.tables import Item


def model_events(before: Item | None, after: Item) -> list[dict[str, Any]]:
    """One event per line added to a version's history; other records of the table have none."""
    history = after.get("history", [])
    known = len(before.get("history", [])) if before else 0
    return [
        {
            "event_id": f"{after['model_id']}.{after['content_hash']}.{number}",
            "model_id": after["model_id"],
            "model_hash": after["content_hash"],
            "model_version": after["version"],
            "state": after["state"],
            **history[number],
        }
        for number in range(known, len(history))
    ]
