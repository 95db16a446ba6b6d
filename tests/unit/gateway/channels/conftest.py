"""An engine on emptied tables, and time that passes only while somebody sleeps."""

from __future__ import annotations

import pytest

from tests.support import aws
from tests.unit.gateway.channels.engine import Engine, with_fixed_time


@pytest.fixture
def engine(aws_stack: aws.Stack) -> Engine:
    aws_stack.empty()
    table = aws_stack.refs["Documents"]
    for item in aws_stack.raw_items("Documents"):  # the shipped channels, which stay otherwise
        key = {name: item[name] for name in ("document_id", "version")}
        aws_stack.clients["dynamodb"].delete_item(TableName=table, Key=key)
    return with_fixed_time(aws_stack)
