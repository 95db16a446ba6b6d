"""Which files are a portfolio, and how its rows are shared out (C11)."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from creditmesh.risk.bulk.portfolio import ROWS_AT_ONCE, Range, splits
from creditmesh.risk.bulk.storage import place


def write(file: Path, rows: int = 1) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"x": pa.array([0] * rows, pa.int8())}), file, row_group_size=rows)
    return file


def test_hidden_files_those_of_unfinished_jobs_and_others_are_left_out(tmp_path: Path) -> None:
    for name in ("b.parquet", "a/2.parquet", ".b.parquet", ".a/1.parquet", "_temporary/0/1.parquet", "_1.parquet"):
        write(tmp_path / name)
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "notes.txt").write_text("")
    found = place(str(tmp_path)).parquet_files()
    assert [one.uri.removeprefix(f"{tmp_path}/") for one in found] == ["a/2.parquet", "b.parquet"]


def test_one_file_is_a_portfolio_whatever_its_name(tmp_path: Path) -> None:
    file = write(tmp_path / "firms")
    assert [one.uri for one in place(str(file)).parquet_files()] == [str(file)]


def test_a_large_row_group_is_read_in_parts(tmp_path: Path) -> None:
    file = write(tmp_path / "firms.parquet", ROWS_AT_ONCE + 3)
    found = [part for split in splits(place(str(file)), 1) for part in split.ranges]
    assert found == [Range(str(file), 0, ROWS_AT_ONCE), Range(str(file), ROWS_AT_ONCE, 3)]


def test_small_row_groups_share_a_split_and_large_ones_fill_it(tmp_path: Path) -> None:
    for name, rows in (("a", 500_000), ("b", 499_999), ("c", 2), ("d", 7)):
        write(tmp_path / f"{name}.parquet", rows)
    found = splits(place(str(tmp_path)), 50)
    assert [[one.count for one in split.ranges] for split in found] == [[500_000], [499_999, 2], [7]]
