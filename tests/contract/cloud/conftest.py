"""Two emulators for the whole session; a test that takes ``cloud`` runs against both."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from .clouds import PYTHON, Cloud

if not PYTHON.exists():
    pytest.skip("the emulator's environment is missing; run `make setup`", allow_module_level=True)


@pytest.fixture(scope="session")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The emulator as the platform uses it."""
    cloud = Cloud(tmp_path_factory.mktemp("mended"), mended=True).start()
    yield cloud
    cloud.stop()


@pytest.fixture(scope="session")
def vanilla(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """MiniStack alone."""
    cloud = Cloud(tmp_path_factory.mktemp("vanilla"), mended=False).start()
    yield cloud
    cloud.stop()


@pytest.fixture(params=["mended", pytest.param("vanilla", marks=pytest.mark.thorough)])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """Each in turn; whether a mend is still needed is asked by `make test-all`."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Cloud)
    return found


@pytest.fixture
def name() -> str:
    """A name no other test uses."""
    return f"probe-{os.getpid()}-{uuid.uuid4().hex[:8]}"
