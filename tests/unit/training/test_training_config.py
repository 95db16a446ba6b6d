"""The configuration is read strictly, and says where it is wrong."""

from __future__ import annotations

import datetime
import json

import pytest

from training.config import SegmentConfig, load
from training.errors import ConfigInvalid


def read(**settings):
    return load(json.dumps({"features": [{"name": "a", "kind": "integer"}], **settings}))


def test_what_is_not_said_has_a_default() -> None:
    config = read()
    assert (config.features[0].monotonic, config.scale.pdo, config.reject_inference) == ("auto", 40, "none")


def test_every_kind_of_value_is_read() -> None:
    config = read(
        split={"out_of_time_from": "2026-01-31", "test_share": 0},
        segments=[{"id": "old", "when": {">": [{"var": "a"}, 3]}}, {"id": "others"}],
        grades={"names": ["good", "poor"], "refer_pd_ppm": None},
    )
    assert config.split.out_of_time_from == datetime.date(2026, 1, 31)
    assert config.split.test_share == 0.0
    assert config.segments == [SegmentConfig("old", {">": [{"var": "a"}, 3]}), SegmentConfig("others")]
    assert config.grades.refer_pd_ppm is None
    assert read(segments="auto").segments == "auto"


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"sed": 1}, "config.sed"),
        ({"seed": "1"}, "config.seed"),
        ({"seed": True}, "config.seed"),
        ({"features": [{"name": "a", "kind": "float"}]}, "config.features[0].kind"),
        ({"features": [{"kind": "integer"}]}, "config.features[0].name"),
        ({"features": [{"name": "a", "kind": "integer", "specials": [["x"]]}]}, "config.features[0].specials[0][0]"),
        ({"split": {"out_of_time_from": "soon"}}, "config.split.out_of_time_from"),
        ({"reject_inference": "guess"}, "config.reject_inference"),
        ({"segments": [{"when": None}]}, "config.segments[0].id"),
    ],
)
def test_what_is_wrong_is_named(settings, path: str) -> None:
    with pytest.raises(ConfigInvalid) as problem:
        read(**settings)
    assert problem.value.path == path


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ConfigInvalid):
        load("{")
