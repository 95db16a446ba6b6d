"""An engine on emptied tables, and time that passes only while somebody sleeps."""

from __future__ import annotations

import pytest

from tests.support import aws
from tests.unit.gateway.channels.engine import Engine, with_fixed_time


@pytest.fixture
def engine(aws_stack: aws.Stack) -> Engine:
    aws_stack.empty()
    return with_fixed_time(aws_stack)
