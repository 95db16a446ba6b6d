"""How the platform calls the sources: signed, keyed or with a token, written from the interface's page."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import httpx

from institutions.config import InstitutionConfig
from institutions.education_figures import verification_code

_NONCES = itertools.count()


def soap(taxpayer_id: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        '<q:QueryJudicialRecord xmlns:q="urn:court-register:judicial-query:1">'
        f"<q:TaxpayerId>{taxpayer_id}</q:TaxpayerId>"
        "</q:QueryJudicialRecord></s:Body></s:Envelope>"
    ).encode()


def ask_court(http: Any, settings: InstitutionConfig, taxpayer_id: str) -> httpx.Response:
    headers = {"x-api-key": settings.api_key, "content-type": "text/xml; charset=utf-8"}
    answer: httpx.Response = http.post("/services/JudicialQuery", content=soap(taxpayer_id), headers=headers)
    return answer


def credit_headers(settings: InstitutionConfig, body: bytes, *, age: int = 0, nonce: str = "") -> dict[str, str]:
    timestamp, nonce = str(int(time.time()) - age), nonce or f"nonce-{next(_NONCES):08d}"
    signed = f"{timestamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}".encode()
    signature = hmac.new(settings.signing_secret.encode(), signed, hashlib.sha256).hexdigest()
    headers = {"x-client-id": settings.client_id, "x-timestamp": timestamp}
    return {**headers, "x-nonce": nonce, "x-signature": signature}


def enquire(http: Any, settings: InstitutionConfig, taxpayer_id: str, request_id: str, **more: Any) -> httpx.Response:
    document = {"taxpayer_id": taxpayer_id, "consent_reference": "consent-1", "request_id": request_id, **more}
    body = json.dumps(document).encode()
    answer: httpx.Response = http.post("/api/v1/enquiries", content=body, headers=credit_headers(settings, body))
    return answer


def fraud_headers(settings: InstitutionConfig, body: bytes, *, age: int = 0, request_id: str = "") -> dict[str, str]:
    timestamp = str(int(time.time()) - age)
    signed = f"{timestamp}\n{hashlib.sha256(body).hexdigest()}".encode()
    signature = b64encode(hmac.new(settings.signing_secret.encode(), signed, hashlib.sha256).digest()).decode()
    headers = {"x-client-id": settings.client_id, "x-timestamp": timestamp, "x-signature": signature}
    return {**headers, "x-request-id": request_id} if request_id else headers


def ask_fraud(http: Any, settings: InstitutionConfig, taxpayer_id: str, request_id: str = "") -> httpx.Response:
    body = json.dumps({"taxpayer_id": taxpayer_id}).encode()
    headers = fraud_headers(settings, body, request_id=request_id)
    answer: httpx.Response = http.post("/score", content=body, headers=headers)
    return answer


def token(http: Any, settings: InstitutionConfig) -> str:
    form = {"grant_type": "client_credentials", "scope": "sales.read"}
    answer = http.post("/oauth/token", data=form, auth=(settings.client_id, settings.client_secret))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def ask_market(http: Any, bearer: str, taxpayer_id: str, cursor: str | None = None) -> httpx.Response:
    query = {"taxpayer_id": taxpayer_id, **({"cursor": cursor} if cursor else {})}
    answer: httpx.Response = http.get("/v1/sales", params=query, headers={"authorization": f"Bearer {bearer}"})
    return answer


def ask_education(
    http: Any,
    settings: InstitutionConfig,
    taxpayer_id: str,
    name: str,
    charset: str = "gb18030",
    code: str | None = None,
) -> httpx.Response:
    code = verification_code(taxpayer_id) if code is None else code
    fields = {"taxpayer_id": taxpayer_id, "person_name": name, "verification_code": code}
    body = urlencode(fields, encoding=charset).encode()
    headers = {"x-api-key": settings.api_key, "content-type": "application/x-www-form-urlencoded"}
    answer: httpx.Response = http.post("/query", content=body, headers=headers)
    return answer
