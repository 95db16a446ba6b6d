"""The channels of the first sources: tax bureau and company registry."""

from __future__ import annotations

import json
from urllib.parse import quote

from creditmesh.gateway.model import AuthorizationRejected, RawAnswer, SourceUnavailable
from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.http import Answer, HttpClient, InstitutionUnavailable
from creditmesh.platform.institutions import Directory, Institution

_REJECTIONS = {"code_unknown", "code_expired", "code_revoked", "taxpayer_mismatch", "no_data"}


class TaxBureau:
    """Taxpayer data by authorisation code + taxpayer id (C07)."""

    def __init__(self, directory: Directory, http: HttpClient, clock: Clock) -> None:
        self._directory, self._http, self._clock = directory, http, clock

    def fetch(self, taxpayer_id: str, code: str) -> RawAnswer:
        """The taxpayer's data.

        Raises:
            AuthorizationRejected: the code does not open them (C08).
            SourceUnavailable: anything else than an answer.
        """
        bureau = self._directory.of_kind("tax")[0]
        body = json.dumps({"taxpayer_id": taxpayer_id, "authorization_code": code}).encode()
        answer = _call(self._http, bureau, "POST", "/api/v1/taxpayer-data", body)
        if answer.status in (403, 404):
            reason = _error(answer)
            if reason in _REJECTIONS:
                raise AuthorizationRejected(reason)
        return _answer("tax", bureau, answer, self._clock)


class CompanyRegistry:
    """Public registry data of a firm (C09)."""

    def __init__(self, directory: Directory, http: HttpClient, clock: Clock) -> None:
        self._directory, self._http, self._clock = directory, http, clock

    def fetch(self, taxpayer_id: str) -> RawAnswer:
        """The firm's registration, filings, changes, pledges, operations and penalties.

        Raises:
            SourceUnavailable: anything else than an answer; also a firm the registry does not know.
        """
        registry = self._directory.of_kind("registry")[0]
        answer = _call(self._http, registry, "GET", f"/api/v1/companies/{quote(taxpayer_id)}", None)
        return _answer("registry", registry, answer, self._clock)


def _call(http: HttpClient, institution: Institution, method: str, path: str, body: bytes | None) -> Answer:
    headers = {"accept": "application/json", "content-type": "application/json", "x-api-key": institution.keys.api_key}
    try:
        return http.call(method, institution.address.base_url + path, headers=headers, body=body)
    except InstitutionUnavailable as error:
        raise SourceUnavailable(f"{institution.institution_id}: {error.message}") from None


def _error(answer: Answer) -> str:
    try:
        document = answer.json()
    except InstitutionUnavailable:
        return ""
    return str(document.get("error", "")) if isinstance(document, dict) else ""


def _answer(source: str, institution: Institution, answer: Answer, clock: Clock) -> RawAnswer:
    if answer.status != 200:
        raise SourceUnavailable(f"{institution.institution_id}: answered {answer.status}")
    return RawAnswer(source=source, channel=institution.institution_id, fetched_at=iso(clock.now()), body=answer.body)
