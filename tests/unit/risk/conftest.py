"""The shipped model, a made-up firm that it approves, and the table of scoring requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from creditmesh.risk.artefact import Artefact, load
from tests.spark.job_cloud import create_table

MODELS = Path(__file__).parents[3] / "models"


@pytest.fixture
def document() -> dict[str, Any]:
    """The shipped artefact's document, fresh for each test to spoil."""
    text: dict[str, Any] = json.loads((MODELS / "origination-2.1.0.json").read_text(encoding="utf-8"))
    return text


@pytest.fixture(scope="session")
def origination() -> Artefact:
    """The shipped artefact."""
    return load((MODELS / "origination-2.1.0.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def good_firm() -> dict[str, Any]:
    """A made-up firm that the shipped model approves."""
    firm: dict[str, Any] = json.loads((MODELS / "sample-firm.json").read_text(encoding="utf-8"))
    return firm


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """DynamoDB with an empty table of scoring requests."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        create_table(client)
        yield client
