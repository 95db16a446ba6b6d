"""XML Schema's written forms (F1)."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from creditmesh.gateway.channels.document import Response
from creditmesh.gateway.channels.reading import Unreadable, read
from creditmesh.gateway.key_data import extract
from creditmesh.platform.http import Answer
from tests.unit.gateway.channels.engine import ORIGIN, Engine
from tests.unit.gateway.channels.test_dry_run import shipped

XSI = "http://www.w3.org/2001/XMLSchema-instance"


def content(written: str, **response: Any) -> Any:
    """What the element `r` is read as; `xsi` and `s` are declared."""
    text = f'<r xmlns:xsi="{XSI}" xmlns:s="urn:x" xmlns:xs="http://www.w3.org/2001/XMLSchema">{written}</r>'
    return read(Response(format="xml", **response), text.encode())["r"]


@pytest.mark.parametrize(
    ("written", "document"),
    [
        ('<a xsi:nil="true"/>', {"a": None}),
        ('<a xsi:nil="1"/>', {"a": None}),
        ('<a xsi:nil=" true\t"> </a>', {"a": None}),
        ('<a xsi:nil="true" unit="CNY"/>', {"a": None}),
        (f'<a xmlns:i="{XSI}" i:nil="true"/>', {"a": None}),
        ('<s:a xsi:nil="true"></s:a>', {"a": None}),
        ('<a xsi:nil="false">5</a>', {"a": "5"}),
        ('<a xsi:nil="0"><b>5</b></a>', {"a": {"b": "5"}}),
        ('<a nil="true">5</a>', {"a": {"@nil": "true", "#text": "5"}}),
        ('<a xmlns:i="urn:other" i:nil="true">5</a>', {"a": {"@nil": "true", "#text": "5"}}),
        ('<a xsi:type="xs:string">text</a>', {"a": "text"}),
        ('<a xsi:type="s:Debt"><b>1</b></a>', {"a": {"b": "1"}}),
        ('<a xsi:schemaLocation="urn:x x.xsd" xsi:noNamespaceSchemaLocation="y.xsd">1</a>', {"a": "1"}),
        ('<a xml:lang="zh" xml:space="preserve">名</a>', {"a": "名"}),
        ('<a unit="CNY">5</a>', {"a": {"@unit": "CNY", "#text": "5"}}),
        ('<a s:unit=" CNY ">5</a>', {"a": {"@unit": "CNY", "#text": "5"}}),
        ("<a>\n  2026-09-30\r\n\t</a>", {"a": "2026-09-30"}),
        ("<a><![CDATA[ 5 ]]></a>", {"a": "5"}),
        ("<a>1<!-- no -->2<?no no?>3</a>", {"a": "123"}),
        ("<a/>", {"a": ""}),
        ("<a> \n </a>", {"a": ""}),
        ('<a xsi:type="xs:string"/>', {"a": ""}),
        ("<s:a>1</s:a><a>2</a>", {"a": ["1", "2"]}),
    ],
)
def test_values(written: str, document: Any) -> None:
    assert content(written) == document


@pytest.mark.parametrize(
    ("written", "rows"),
    [
        ("<l><row><n>1</n></row></l>", [{"n": "1"}]),
        ('<l><row xsi:nil="true"/></l>', [None]),
        ('<l><row><n>1</n></row><row xsi:nil="1"/></l>', [{"n": "1"}, None]),
        ("<l><row/></l>", [""]),
        ('<l><row><n xsi:nil="true"/></row></l>', [{"n": None}]),
    ],
)
def test_rows_of_a_list(written: str, rows: Any) -> None:
    assert content(written, lists=["row"])["l"]["row"] == rows


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ('<a xsi:nil="yes"/>', "has an xsi:nil that is not a boolean"),
        ('<a xsi:nil="TRUE"/>', "has an xsi:nil that is not a boolean"),
        ('<a xsi:nil=""/>', "has an xsi:nil that is not a boolean"),
        ('<a xsi:nil="true">5</a>', "has a nil element with content"),
        ('<a xsi:nil="1"><b/></a>', "has a nil element with content"),
        ('<a t:nil="true"/>', "is not XML, or declares entities"),
        ('<a b="1" b="2"/>', "is not XML, or declares entities"),
        ("<a>&#0;</a>", "is not XML, or declares entities"),
        ("<a>&#xD83D;</a>", "is not XML, or declares entities"),
        ("<a>\0</a>", "is not XML, or declares entities"),
        ("<a>\u0001</a>", "is not XML, or declares entities"),
    ],
)
def test_what_contradicts_itself_is_unreadable(written: str, fault: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        content(written)
    assert refusal.value.message == fault


COURT = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="' + XSI + '"><soap:Body>'
    '<QueryJudicialRecordResponse xmlns="urn:court-register:judicial-query:1"><TaxpayerId>x</TaxpayerId>{}'
    "<Currency>CNY</Currency></QueryJudicialRecordResponse></soap:Body></soap:Envelope>"
)
LISTED = "<Listed>true</Listed><ListedOn>2026-03-01</ListedOn>"


@pytest.mark.parametrize(
    ("written", "cases", "debtor"),
    [
        (f'<Cases/><DishonestDebtor>{LISTED}<RemovedOn xsi:nil="true"/></DishonestDebtor>', [], None),
        (f'<Cases xsi:nil="1"/><DishonestDebtor>{LISTED}<RemovedOn/></DishonestDebtor>', [], ""),
        (f'<Cases><Case xsi:nil="true"/></Cases><DishonestDebtor>{LISTED}</DishonestDebtor>', [], None),
        (f"<Cases><Case/></Cases><DishonestDebtor>{LISTED}</DishonestDebtor>", [dict.fromkeys((
            "case_no", "role", "kind", "cause", "filed_on", "closed_on", "claim_amount", "status"))], None),
    ],
)  # fmt: skip
def test_the_court_register(engine: Engine, written: str, cases: Any, debtor: Any) -> None:
    """A nil date is none; a nil row is none; an empty row is a row of which nothing is known."""
    engine.http.routes["POST", ORIGIN] = lambda _: Answer(200, COURT.format(written).encode())
    court = shipped("court-register").model_copy(update={"institution": "source", "base_url": ORIGIN})
    third = engine.third(engine.collect(court))
    assert (third["cases"], third["dishonest_debtor"]["removed_on"]) == (cases, debtor)
    assert third["dishonest_debtor"]["listed"] == "true"


@pytest.mark.parametrize(
    "removed",
    [
        '<RemovedOn xsi:nil="true"/>',
        '<RemovedOn xsi:nil="1"></RemovedOn>',
        "<RemovedOn/>",
        "",
        '<RemovedOn xsi:nil="false" xsi:type="xs:date"> </RemovedOn>',
    ],
)
@pytest.mark.parametrize("listed", ["true", "1", " true\n", "<![CDATA[1]]>"])
@pytest.mark.parametrize("day", ["2026-03-01", "2026-03-01Z", "2026-03-01+08:00", "\n2026-03-01 "])
def test_a_listed_debtor_is_listed_however_it_is_written(engine: Engine, removed: str, listed: str, day: str) -> None:
    since = f'<ListedOn xsi:type="xs:date">{day}</ListedOn>'
    debtor = f"<DishonestDebtor><Listed>{listed}</Listed>{since}{removed}</DishonestDebtor>"
    engine.http.routes["POST", ORIGIN] = lambda _: Answer(200, COURT.format(debtor).encode())
    court = shipped("court-register").model_copy(update={"institution": "source", "base_url": ORIGIN})
    found = extract(
        {"judicial": engine.third(engine.collect(court))}, requested_amount_minor=1, requested_term_months=1,
        blacklist_hits=0, as_of=date(2026, 11, 21), zone=ZoneInfo("Asia/Shanghai"),
    )  # fmt: skip
    assert found.features["dishonest_debtor_listed"] is True
