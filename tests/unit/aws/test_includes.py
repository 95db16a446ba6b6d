"""Included files take the place of their transforms, wherever these stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloud.template import inlined


def include(name: str) -> dict[str, Any]:
    return {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": name}}}


def test_files_take_the_place_of_transforms(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.yaml").write_text('x: {"Ref": "Y"}\n')
    (tmp_path / "b.json").write_text("[1, 2]")
    template = {"A": {"Body": include("deep/a.yaml")}, "B": [include("b.json"), 3], "C": "text"}
    assert inlined(template, tmp_path) == {
        "A": {"Body": {"x": {"Ref": "Y"}}},
        "B": [[1, 2], 3],
        "C": "text",
    }


def test_other_transforms_stay(tmp_path: Path) -> None:
    other = {"Fn::Transform": {"Name": "Mine", "Parameters": {"Location": "x"}}}
    assert inlined({"A": other}, tmp_path) == {"A": other}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none.yaml"):
        inlined(include("none.yaml"), tmp_path)
