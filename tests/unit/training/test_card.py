"""The model card stands by itself, in both languages, and says what the run found."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.support.populations import FEATURES, config, training_set
from training import train as training
from training.card import render_card
from training.card_words import WORDS
from training.config import PairsConfig, SplitConfig

VOID = {"meta", "br", "link", "img", "input"}


class Balanced(HTMLParser):
    """Fails where a tag is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attrs) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def found():
    settings = config(
        pairs=PairsConfig(max_pairs=2), segments=None, fairness=["region"], split=SplitConfig(0.2, 0.2, folds=2)
    )
    features = [replace(feature, label={}) for feature in FEATURES]
    model = training.train(training_set(4_000, paired=0.9), replace(settings, features=features))
    return json.loads(json.dumps(model.diagnostics))


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_page_is_whole_and_needs_nothing_from_elsewhere(found, language: str) -> None:
    page = render_card(found, language)
    reader = Balanced()
    reader.feed(page)
    assert reader.open == []
    assert {"svg", "polyline", "rect", "circle", "table"} <= reader.seen
    assert not re.search(r"https?:|src=|@import|url\(", page)
    assert WORDS[language]["title"] in page


def test_it_says_what_was_found(found) -> None:
    page = render_card(found)
    assert found["data"]["content_hash"] in page
    assert f"{found['performance']['out_of_time']['auc']:.4f}" in page
    assert "region × age_months" in page or "age_months × region" in page
    for row in found["selection"]:
        assert row["feature"] in page
    assert "out of time" in page


def test_it_says_how_often_points_change_their_direction(found) -> None:
    single = [item for item in found["characteristics"] if item.get("turns") is not None]
    page = render_card(found)
    assert single
    for item in single:
        assert re.search(rf"<summary>{item['features'][0]}\b.*changes of direction {item['turns']}</span>", page)


def test_a_simulated_outcome_is_seen_at_once(found) -> None:
    page = render_card({**found, "data": {**found["data"], "outcome_kind": "simulated"}})
    assert "Outcomes are simulated" in page


def test_names_are_text_and_never_markup(found) -> None:
    page = render_card({**found, "data": {**found["data"], "name": "<script>alert(1)</script>"}})
    assert "<script>" not in page


def test_both_languages_have_every_word() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh-CN"])


def test_fairness_stands_side_by_side(found) -> None:
    (column,) = found["fairness"]
    assert column["column"] == "region"
    names = {group["group"] for group in column["groups"]}
    assert names >= {"north", "south", "isles"}
    rates = [group["approval_rate"] for group in column["groups"]]
    assert column["four_fifths_ratio"] == pytest.approx(min(rates) / max(rates), abs=1e-4)
