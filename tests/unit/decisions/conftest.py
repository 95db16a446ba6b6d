"""The shipped model, a made-up firm that it approves, and the table of scoring requests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.spark.job_cloud import create_table
from tests.support.memory_tables import MemoryTables
from tests.unit.risk.conftest import good_firm, origination

__all__ = ["good_firm", "origination"]


@pytest.fixture
def dynamodb() -> Any:
    """DynamoDB with an empty table of scoring requests."""
    client = MemoryTables("eu-west-1").client
    create_table(client)
    return client
