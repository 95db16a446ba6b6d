"""The court register speaks SOAP as the interface says (C09)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import xmltodict
from starlette.testclient import TestClient

from institutions.config import Config, InstitutionConfig
from institutions.court_figures import judicial_data
from institutions.population import Firm, Population

from .calls import ask_court, soap
from .conftest import AS_OF
from .forms import structured

PATH = "/services/JudicialQuery"


@pytest.fixture
def settings(config: Config) -> InstitutionConfig:
    return config.institutions["court-register"]


@pytest.fixture
def court(client: Callable[[str], TestClient]) -> TestClient:
    return client("court-register")


def test_its_answers_become_third_information_by_rule(court: TestClient, settings: InstitutionConfig) -> None:
    firms = [Population(7).firm(index, AS_OF) for index in range(60)]
    documents = [judicial_data(firm, AS_OF) for firm in firms]
    # None, one and several of a repeated element are three forms in XML.
    assert {min(len(one["cases"]), 2) for one in documents} == {0, 1, 2}
    for firm, document in zip(firms, documents, strict=True):
        answer = ask_court(court, settings, firm.taxpayer_id)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        assert structured("judicial", xmltodict.parse(answer.content)) == document


def test_the_blacklisted_firm_is_listed(
    court: TestClient, settings: InstitutionConfig, firm: Callable[[str], Firm]
) -> None:
    answer = ask_court(court, settings, firm("blacklisted").taxpayer_id)
    assert "<Listed>true</Listed>" in answer.text
    assert "买卖合同纠纷" in answer.text


def fault(answer: object) -> str:
    envelope = xmltodict.parse(answer.content)["soap:Envelope"]["soap:Body"]["soap:Fault"]  # type: ignore[attr-defined]
    assert envelope["faultcode"] == "soap:Client"
    return str(envelope["faultstring"])


def test_an_unknown_firm_is_a_soap_fault(court: TestClient, settings: InstitutionConfig) -> None:
    answer = ask_court(court, settings, "91110000600037341L")
    assert (answer.status_code, fault(answer)) == (500, "no_such_company")


def test_without_the_key_nothing_is_told(
    court: TestClient, settings: InstitutionConfig, firm: Callable[[str], Firm]
) -> None:
    for key in ("", "x" + settings.api_key):
        headers = {"x-api-key": key, "content-type": "text/xml"}
        answer = court.post(PATH, content=soap(firm("good_firm").taxpayer_id), headers=headers)
        assert (answer.status_code, fault(answer)) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("body", "media", "status", "reason"),
    [
        (b"<a>", "text/xml", 400, "not_xml"),
        (b"\xff\xfe", "text/xml", 400, "not_xml"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "text/xml", 400, "doctype_refused"),
        (b"<a/>", "text/xml", 400, "invalid_request"),
        (soap(""), "text/xml", 400, "invalid_request"),
        (soap("x").replace(b"judicial-query:1", b"judicial-query:2"), "text/xml", 400, "invalid_request"),
        (b"<a>" + b" " * 70_000 + b"</a>", "text/xml", 400, "too_large"),
        (soap("x"), "application/json", 415, "not_text_xml"),
    ],
)
def test_what_is_no_query_is_refused(
    court: TestClient, settings: InstitutionConfig, body: bytes, media: str, status: int, reason: str
) -> None:
    answer = court.post(PATH, content=body, headers={"x-api-key": settings.api_key, "content-type": media})
    assert (answer.status_code, fault(answer)) == (status, reason)
