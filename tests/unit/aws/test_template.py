"""A template is read with its short forms, its parts take their places, its files go to a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloud.template import inlined, packaged, parse


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


def test_short_forms_and_days() -> None:
    text = """
    A: !Ref B
    C: !GetAtt D.E.F
    G: !Sub ['${H}', {H: !If [I, J, !Ref K]}]
    L: {Condition: !Condition M}
    Day: 2012-10-17
    """
    assert parse(text) == {
        "A": {"Ref": "B"},
        "C": {"Fn::GetAtt": ["D", "E.F"]},
        "G": {"Fn::Sub": ["${H}", {"H": {"Fn::If": ["I", "J", {"Ref": "K"}]}}]},
        "L": {"Condition": {"Condition": "M"}},
        "Day": "2012-10-17",
    }


TEMPLATE = """
Globals: {Function: {CodeUri: code/, Timeout: 3}}
Resources:
  Shared: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}
  Own: {Type: AWS::Serverless::Function, Properties: {CodeUri: other/}}
  Inline: {Type: AWS::Serverless::Function, Properties: {InlineCode: pass}}
  Layer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer.zip}}
  Machine: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: a.asl.yaml}}
  There: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: s3://bucket/key}}
  Topic: {Type: AWS::SNS::Topic}
"""


def test_files_go_to_a_bucket(tmp_path: Path) -> None:
    """Each function's code is named: without that CloudFormation would look for the whole folder."""
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE)
    made = packaged(file, lambda path: f"s3://stored/{path.relative_to(tmp_path)}")
    assert made["Globals"] == {"Function": {"Timeout": 3}}
    assert {name: one.get("Properties") for name, one in made["Resources"].items()} == {
        "Shared": {"Handler": "a.b", "CodeUri": "s3://stored/code"},
        "Own": {"CodeUri": "s3://stored/other"},
        "Inline": {"InlineCode": "pass"},
        "Layer": {"ContentUri": "s3://stored/layer.zip"},
        "Machine": {"DefinitionUri": "s3://stored/a.asl.yaml"},
        "There": {"ContentUri": "s3://bucket/key"},
        "Topic": None,
    }
