"""Shadow scores, as written by the resident job."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from creditmesh.decisions.serving.shadow import SHARDS
from creditmesh.governance.model import ShadowScore
from creditmesh.kernel.clock import iso
from creditmesh.platform.tables import Item, Tables

MOST = 20_000


class ShadowScores:
    """Reads the table that the job writes."""

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables, self._table = tables, table

    def of_challenger(self, content_hash: str) -> list[ShadowScore]:
        """The stored scores of one challenger; at most 20,000, since an API call reads all of them."""
        partitions = (f"{content_hash}#{shard}" for shard in range(SHARDS))
        most = MOST // SHARDS
        found = (self._tables.query(self._table, "challenger", part, limit=most) for part in partitions)
        return [_score(item) for part in found for item in part]


def _score(item: Item) -> ShadowScore:
    return ShadowScore(
        request_id=item["request_id"],
        application_id=item["application_id"],
        champion=item["champion"],
        challenger=item["challenger"].partition("#")[0],
        champion_result=json.loads(item["champion_result"]),
        challenger_result=json.loads(item["challenger_result"]),
        scored_at=iso(datetime.fromtimestamp(item["scored_at_ms"] / 1000, UTC)),
    )
