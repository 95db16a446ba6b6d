"""Sources of a running platform: seven kinds, one nobody foresaw, consents withdrawn, faults, silent logs."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from client import Borrower, ProblemError, channels
from client.borrower import Journey
from creditmesh.gateway.channels.catalogue import CACHE_SECONDS
from institutions.education_figures import verification_code
from run import many
from run.cases import Case
from run.platform import LocalPlatform
from run.scenario import Staff

ALL = ("credit_bureau", "shop", "education", "anti_fraud")
PATIENCE = 150.0


def live(local: LocalPlatform, case: Case, consents: tuple[str, ...] = ALL) -> Journey:
    """A borrower's whole way."""
    api = local.api("borrower", case.tenant)
    borrower = Borrower(
        api, local.bureau, case.request(), password=case.password, consents=consents, fields=case.fields
    )
    return borrower.live_through(uuid.uuid4().hex, PATIENCE)


def sources(local: LocalPlatform, journey: Journey) -> dict[str, dict[str, Any]]:
    """The report's sources by kind, as staff see them."""
    report = local.api("auditor", "platform").report(journey.application.application_id)
    return {one["source"]: one for one in report["sources"]}


def charged(local: LocalPlatform, name: str, taxpayer_id: str) -> int:
    """How often an institution has charged for a firm."""
    ledger = httpx.get(f"{local.estate.url(name)}/_ledger", trust_env=False).json()
    return sum(1 for one in ledger["charges"] if taxpayer_id in json.dumps(one))


def fault(local: LocalPlatform, name: str, **order: Any) -> None:
    """Order a fault."""
    answer = httpx.post(f"{local.estate.url(name)}/_faults", json=order, trust_env=False)
    assert answer.status_code == 201, answer.text


@pytest.fixture(scope="module")
def good(local: LocalPlatform, personas: dict[str, Case]) -> Case:
    """The firm that does well, and of which the platform has a profile."""
    return personas["good_firm"]


def test_seven_kinds_of_sources_each_with_its_outcome(local: LocalPlatform, good: Case) -> None:
    """SOAP, pages behind OAuth 2.0, a late callback, GB18030, signatures: all in one application (G12)."""
    found = sources(local, live(local, good))
    assert {kind: one["outcome"] for kind, one in found.items()} == {
        "tax": "complete", "registry": "complete", "judicial": "complete", "credit_bureau": "complete",
        "shop": "complete", "education": "filled", "anti_fraud": "complete",
    }  # fmt: skip
    assert all(one["fetched_at"] and one["sha256"] for one in found.values())


def test_a_second_application_pays_for_nothing_again(local: LocalPlatform, good: Case) -> None:
    """No call is made twice for one consent and window (G11)."""
    live(local, good)
    before = {name: charged(local, name, good.firm.taxpayer_id) for name in ("credit-bureau", "fraud-shield")}
    found = sources(local, live(local, good))
    after = {name: charged(local, name, good.firm.taxpayer_id) for name in ("credit-bureau", "fraud-shield")}
    assert before == after == {"credit-bureau": 1, "fraud-shield": 1}
    assert {found["credit_bureau"]["cached"], found["anti_fraud"]["cached"]} == {True}


def test_a_withdrawn_consent_is_not_used_again(local: LocalPlatform) -> None:
    """Withdrawal erases the cache and stops collection; the other rights stay (S09)."""
    case = many.cases(1, skip=140)[0]
    first = live(local, case)
    assert sources(local, first)["anti_fraud"]["outcome"] == "complete"
    api = local.api("borrower", case.tenant)
    api.withdraw_consent(first.application.application_id, "anti_fraud")
    again = sources(local, live(local, case, consents=()))
    assert (again["anti_fraud"]["outcome"], again["anti_fraud"]["reason"]) == ("no_consent", "withdrawn")
    assert again["credit_bureau"]["outcome"] == "complete"
    assert charged(local, "fraud-shield", case.firm.taxpayer_id) == 1


def test_a_source_in_trouble_is_asked_again_until_it_is_back(local: LocalPlatform) -> None:
    """The tax bureau answers 503 for a while: nothing is lost, no person is needed (G13, C24)."""
    case = many.cases(1, skip=141)[0]
    fault(local, "tax-bureau", kind="status", status=503, count=4, path="/api/v1/taxpayer-data")
    journey = live(local, case, consents=())
    assert journey.application.outcome
    assert "with_operator" not in {entry.status for entry in journey.timeline}


def test_a_required_source_that_is_away_is_replaced_by_its_fallback(local: LocalPlatform) -> None:
    """The registry is away throughout: its mirror's word counts, the report names both (G13)."""
    case = many.cases(1, skip=143)[0]
    fault(local, "company-registry", kind="status", status=503, count=50)
    try:
        journey = live(local, case, consents=())
    finally:
        httpx.delete(f"{local.estate.url('company-registry')}/_faults", trust_env=False)
    assert "with_operator" not in {entry.status for entry in journey.timeline}
    assert journey.report is not None
    asked = [(one["channel"], one["outcome"]) for one in journey.report["sources"] if one["source"] == "registry"]
    assert asked == [("company-registry", "unavailable"), ("registry-mirror", "complete")]


@pytest.mark.parametrize(
    ("name", "kind", "order"),
    [
        ("fraud-shield", "anti_fraud", {"kind": "drift", "field": "verdict", "how": "rename"}),
        ("court-register", "judicial", {"kind": "xml_bomb"}),
        (
            "market-square",
            "shop",
            {"kind": "redirect", "location": "http://127.0.0.1:1/elsewhere", "path": "/v1/sales"},
        ),
        ("education-register", "education", {"kind": "wrong_charset"}),
        ("court-register", "judicial", {"kind": "huge", "megabytes": 50}),
    ],
)
def test_a_broken_optional_source_is_named_and_stops_nobody(
    local: LocalPlatform, name: str, kind: str, order: dict[str, Any]
) -> None:
    """Each fault: the outcome is named in the report; the application goes on, where a rule refers by a person."""
    case = many.cases(1, skip=150 + ["drift", "xml_bomb", "redirect", "wrong_charset", "huge"].index(order["kind"]))[0]
    operator = local.api("operator", "platform")
    profile = local.estate.profile(local.estate.firm_of(case.firm.taxpayer_id))
    operator.put_record("firm-profiles", case.firm.taxpayer_id, profile)
    fault(local, name, count=12, **order)  # asked twice, and once more at the end of the collection
    try:
        with Staff(local):
            found = sources(local, live(local, case))
    finally:
        httpx.delete(f"{local.estate.url(name)}/_faults", trust_env=False)
    assert found[kind]["outcome"] in ("unavailable", "no_data" if kind == "shop" else "unavailable"), found[kind]
    assert found["tax"]["outcome"] == "complete"
    assert charged(local, "fraud-shield", case.firm.taxpayer_id) == 1


class _Warehouse(BaseHTTPRequestHandler):
    """A source of a kind nobody foresaw."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = json.dumps({"stock": {"pallets": 41, "owner": self.path.rpartition("/")[2]}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def warehouse(local: LocalPlatform) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", local.ports.guest), _Warehouse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{local.ports.guest}"
        server.shutdown()


def test_a_source_nobody_foresaw_takes_a_document_only(local: LocalPlatform, warehouse: str) -> None:
    """A channel of a new kind, tried dry, put in force, collected from, seen in the health (G02)."""
    operator = local.api("operator", "platform")
    document = {
        "channel_id": "warehouse", "kind": "warehouse", "title": "Warehouse receipts", "institution": "warehouse",
        "base_url": warehouse, "transport": {"type": "rest", "method": "GET", "path": "/stock/{{taxpayer_id}}"},
        "authentication": {"type": "none"}, "cache_seconds": 60,
        "structure": {"rule": "{owner: stock.owner, pallets: stock.pallets}", "complete": ["owner"]},
    }  # fmt: skip
    sample = {"fields": {"taxpayer_id": "X"}, "pages": ['{"stock": {"owner": "X", "pallets": 1}}']}
    tried = operator.call("POST", "/v1/channel-dry-runs", {"channel": document, "sample": sample})
    assert (tried["outcome"], tried["steps"][-1]["result"]) == ("complete", {"owner": "X", "pallets": 1})
    operator.put_channel(document)
    plan = next(one for one in channels.plans() if one["plan_id"] == "standard")
    operator.put_plan({**plan, "channels": [*plan["channels"], {"channel_id": "warehouse"}]})
    time.sleep(CACHE_SECONDS + 1)  # it is in force everywhere by then
    try:
        case = many.cases(1, skip=160)[0]
        found = sources(local, live(local, case, consents=()))
    finally:
        operator.put_plan(plan)
    assert found["warehouse"]["outcome"] == "complete"
    assert _Warehouse.asked == [f"/stock/{case.firm.taxpayer_id}"]
    health = {one["channel_id"]: one for one in operator.channel_health()}
    assert (health["warehouse"]["calls"], health["warehouse"]["breaker"]) == (1, "closed")


def test_a_channel_may_not_call_elsewhere(local: LocalPlatform) -> None:
    """Neither a host that is not allow-listed nor another than the institution's own."""
    operator = local.api("operator", "platform")
    (court,) = (one for one in channels.documents() if one["channel_id"] == "court-register")
    for changes in (
        {"channel_id": "metadata", "institution": "metadata", "base_url": "http://169.254.169.254"},
        {"base_url": "https://elsewhere.example"},
    ):
        with pytest.raises(ProblemError) as refused:
            operator.put_channel({**court, **changes})
        assert (refused.value.status, refused.value.errors[0]["field"]) == (422, "base_url")


def test_operators_see_how_channels_do(local: LocalPlatform, good: Case) -> None:
    """Calls, success, latency, cost, cache hits, breaker (issue: channel health)."""
    live(local, good)
    health = {one["channel_id"]: one for one in local.api("operator", "platform").channel_health()}
    fraud = health["fraud-shield"]
    assert fraud["collections"] >= fraud["cache_hits"] + 1
    assert float(fraud["cost"]) >= 1.5
    assert fraud["latency_p50_ms"] <= fraud["latency_p95_ms"]
    assert health["tax-bureau"]["breaker"] == "closed"
    with pytest.raises(ProblemError) as refused:
        local.api("borrower", good.tenant).call("GET", "/v1/channels-health")
    assert refused.value.status == 403


def test_no_log_holds_a_secret_or_a_firm(local: LocalPlatform) -> None:
    """Whatever ran before in this module: keys, secrets, codes, taxpayer ids and names are in no log line."""
    logs = "".join(path.read_text("utf-8", "replace") for path in (local.places.state_dir / "logs").glob("cloud*.log"))
    groups = local.aws("logs")
    for group in groups.describe_log_groups()["logGroups"]:
        for stream in groups.describe_log_streams(logGroupName=group["logGroupName"])["logStreams"]:
            events = groups.get_log_events(
                logGroupName=group["logGroupName"], logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
            logs += "".join(event["message"] for event in events)
    assert "channel_collections" in logs, "the functions' own lines are looked at"
    secret = [
        value
        for one in local.estate.settings.values()
        for name, value in one.items()
        if name in ("api_key", "client_secret", "signing_secret", "webhook_secret")
    ]
    firms = [many.cases(1, skip=number)[0].firm for number in (140, 141, 150, 151, 152, 153, 154, 160)]
    personal = [text for firm in firms for text in (firm.taxpayer_id, firm.name, verification_code(firm.taxpayer_id))]
    assert len(secret) >= 9
    assert [text for text in secret + personal if text in logs] == []
