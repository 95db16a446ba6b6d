"""Documents in S3; what reads and writes them is in tests/contract/cloud/test_memory.py."""

from __future__ import annotations

import pytest

from creditmesh.platform.bootstrap import Platform
from creditmesh.platform.objects import Objects


def test_a_url_to_upload_to_is_signed_as_kms_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    url = Objects(Platform().client("s3"), "bucket").upload_url("a/b", 60)
    assert "/a/b?" in url
    assert "X-Amz-Signature" in url, "a bucket that KMS encrypts takes no older signature"
