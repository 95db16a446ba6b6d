"""Contracts carry the registry's name; what the applicant wrote differently is a finding, or for a person (rule 14)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditmesh.intake.model import NameMatch
from creditmesh.intake.names import ALIKE_BPS, RegisteredName, registered_name
from creditmesh.screening.likeness import likeness_bps
from institutions.registry_figures import registry_data
from tests.support import wired
from tests.support.aws import table_name
from tests.support.world import FIRM, REGISTRY, World

HAN = "无锡测试机械有限公司"


def compared(given: str, registry: Any) -> RegisteredName | None:
    return registered_name(given, {"registry": {"registration": {"name": registry}}}, likeness_bps)


@pytest.mark.parametrize(
    ("given", "registry"),
    [
        (HAN, HAN),
        (HAN, "無錫測試機械有限公司"),
        ("无锡测试(集团)有限公司", "无锡测试（集团）有限公司"),
        ("Morgenstern Bearings Ltd", "MORGENSTERN BEARINGS LTD."),
        ("A&B Trading", "A and B Trading"),
        ("３Ｍ Trading", "3M  trading"),
    ],
)
def test_writing_is_no_difference(given: str, registry: str) -> None:
    found = compared(given, registry)
    assert found
    assert (found.match, found.findings()) == (NameMatch.SAME, [])


@pytest.mark.parametrize(
    ("score", "match"),
    [(ALIKE_BPS - 1, NameMatch.VERY_DIFFERENT), (ALIKE_BPS, NameMatch.DIFFERENT), (10_000, NameMatch.SAME)],
)
def test_the_bounds_of_likeness(score: int, match: NameMatch) -> None:
    found = registered_name(HAN, {"registry": {"registration": {"name": HAN}}}, lambda *_: score)
    assert found
    assert found.match is match


@pytest.mark.parametrize(
    ("given", "registry"),
    [
        (HAN, "无锡测试机械股份有限公司"),
        (HAN, "无锡市测试机械有限公司"),
        ("测试机械有限公司", HAN),
        ("无锡测试机械", HAN),
        ("Morgenstern Bearing Ltd", "Morgenstern Bearings Ltd"),
    ],
)
def test_a_difference_is_a_finding(given: str, registry: str) -> None:
    found = compared(given, registry)
    assert found
    assert (found.match, found.name) == (NameMatch.DIFFERENT, registry)
    (finding,) = found.findings()
    assert (finding["field"], finding["severity"], finding["finding"]) == (
        "application.firm_name", "warning", "name_differs"
    )  # fmt: skip
    assert registry not in str(finding)


@pytest.mark.parametrize(
    ("given", "registry"),
    [
        ("无锡天邦商贸有限公司", "无锡大华机械有限公司"),
        ("无锡天邦商贸有限公司", "上海大华机械有限公司"),
        ("Harbor Foods Ltd", "Harbor Steel Ltd"),
        ("Good Firm", HAN),
        ("有限公司", HAN),
    ],
)
def test_another_firms_name_is_very_different(given: str, registry: str) -> None:
    found = compared(given, registry)
    assert found
    assert (found.match, found.findings()[0]["severity"]) == (NameMatch.VERY_DIFFERENT, "error")


@pytest.mark.parametrize("registry", [None, 7, "", "a\r\nb", "x\u202ey", "\u200b", ["a"]])
def test_a_registrys_name_that_cannot_be_read_is_none(registry: Any) -> None:
    assert compared(HAN, registry) is None


def collected(world: World, given: str, registry: str = FIRM.name) -> dict[str, Any]:
    world.authorize()
    world.sources_answer()
    document = registry_data(FIRM, world.clock.now().date())
    document["registration"]["name"] = registry
    world.http.answer("GET", f"{REGISTRY}/api/v1/companies/", 200, document)
    vars(world)["application_id"] = world.apply(firm_name=given).application_id
    return wired.key_data().get(world.collect()).model_dump()


def test_lenders_are_told_the_registrys_name(world: World) -> None:
    given = FIRM.name.replace("有限公司", "股份有限公司")
    quality = collected(world, given)["quality"]
    assert "name_differs" in [finding["finding"] for finding in quality]
    wired.assessment().score_in_process(world.application_id)
    assert wired.assessment().decide(world.application_id).decision == "approve"
    world.push()
    wired.offers().offer(world.application_id, "t-choice")
    world.choose()
    wired.closings().submit(world.application_id, "t-decision")
    (message,) = world.items("Outbox")
    said = wired.cipher().open(message["body"], table_name("Outbox"), message["message_id"], "body")
    assert json.loads(said)["data"]["firm"]["name"] == FIRM.name
    assert world.application().firm_name == given


def test_what_is_approved_under_another_firms_name_goes_to_a_person(world: World) -> None:
    collected(world, "Somebody Else Ltd")
    wired.assessment().score_in_process(world.application_id)
    decided = wired.assessment().decide(world.application_id)
    assert (decided.decision, decided.reasons[-1]) == ("refer", "name_differs")
    assert wired.assessment().decide(world.application_id) == decided


def test_what_is_declined_stays_declined_under_another_firms_name(world: World) -> None:
    world.blacklist()
    collected(world, "Somebody Else Ltd")
    wired.assessment().score_in_process(world.application_id)
    decided = wired.assessment().decide(world.application_id)
    assert (decided.decision, "name_differs" in decided.reasons) == ("decline", False)


def test_a_name_written_otherwise_approves(world: World) -> None:
    quality = collected(world, f" {FIRM.name}. ")["quality"]
    assert "name_differs" not in [finding["finding"] for finding in quality]
    assert world.application().name_match is NameMatch.SAME
