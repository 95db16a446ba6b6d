"""Fixtures of all folders; nothing here is automatic, so that a test pays only for what it names."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from creditmesh.platform.observability import logger
from tests.support import aws
from tests.support.shares import share_out
from tests.support.world import World, running, standing

# How long one example takes says something of the machine only, which other tests keep busy.
settings.register_profile("patient", parent=settings(), deadline=None)
settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Share the tests out, where several processes run them."""
    if hasattr(config, "workerinput"):
        share_out(items)


@pytest.fixture(scope="session")
def aws_clients() -> dict[str, Any]:
    """One client per AWS service: DynamoDB, S3 and SSM in memory, the others reach moto inside `mock_aws`."""
    return aws.clients()


@pytest.fixture(scope="module")
def aws_stack(aws_clients: dict[str, Any]) -> Iterator[aws.Stack]:
    """The template's tables, buckets, queues, keys and secrets; made once per file."""
    with standing(aws_clients) as made:
        yield made


@pytest.fixture
def world(aws_stack: aws.Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The whole platform in this process, with nothing in it."""
    aws_stack.empty()
    with running(aws_stack, monkeypatch) as made:
        yield made


@pytest.fixture
def log_output() -> Iterator[io.StringIO]:
    """What reaches the log, as it is written, for as long as the test runs."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logger.registered_formatter)
    everything = logging.getLogger()
    logger.addHandler(handler)
    everything.addHandler(handler)
    yield written
    everything.removeHandler(handler)
    logging.getLogger("creditmesh").removeHandler(handler)
