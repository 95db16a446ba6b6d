"""The education register: form requests, JSON in GB18030, authenticated by a key."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from institutions.access import key_right
from institutions.config import Config
from institutions.education_figures import education_data, verification_code
from institutions.population import Population

CHARSET = "gb18030"
_LARGEST_BODY = 8_192
_READINGS = ("utf-8", CHARSET)


class EducationRegister:
    """The register's one route over the made-up population."""

    def __init__(self, name: str, config: Config) -> None:
        self._settings = config.institutions[name]
        self._config = config
        self._population = Population(config.seed, config.population)

    def routes(self) -> list[Route]:
        return [Route("/query", self.query, methods=["POST"])]

    async def query(self, request: Request) -> Response:
        """The degrees of a firm's legal representative, who must be named, and who hands out the code."""
        if not key_right(request.headers, self._settings.api_key):
            return _answer(401, {"error": "invalid_api_key"})
        body = await request.body()
        readings = [form for charset in _READINGS if (form := _form(body, charset)) is not None]
        if not readings:
            return _answer(400, {"error": "invalid_request"})
        day = self._config.today()
        firm = self._population.by_taxpayer_id(readings[0]["taxpayer_id"], day)
        if firm is None:
            return _answer(404, {"error": "no_such_company"})
        data = education_data(firm, day)
        if readings[0]["verification_code"] != verification_code(firm.taxpayer_id):
            return _answer(403, {"error": "verification_code_invalid"})
        # A form does not declare its charset, and bytes may be valid in both, so try both.
        if all(form["person_name"] != data["person"]["name"] for form in readings):
            return _answer(404, {"error": "no_such_person"})
        return _answer(200, _outer_form(data))


def _form(body: bytes, charset: str) -> dict[str, str] | None:
    """The form decoded with a charset; None if it is not one, or a field is missing."""
    if len(body) > _LARGEST_BODY:
        return None
    try:
        fields = dict(parse_qsl(body.decode("ascii"), encoding=charset, errors="strict", max_num_fields=10))
    except ValueError:
        return None
    form = {name: fields.get(name, "").strip() for name in ("taxpayer_id", "person_name", "verification_code")}
    return form if all(form.values()) else None


def _outer_form(data: dict[str, Any]) -> dict[str, Any]:
    """In the format of such registers: short names after the pinyin of the terms."""
    degrees = [
        {
            "xlcc": row["level"],
            "yxmc": row["institution"],
            "byrq": row["graduated_on"],
            "yz": row["verified"],
        }
        for row in data["degrees"]
    ]
    return {"nsrsbh": data["taxpayer_id"], "xm": data["person"]["name"], "xlxx": degrees}


def _answer(status: int, document: dict[str, Any]) -> Response:
    text = json.dumps(document, ensure_ascii=False).encode(CHARSET)
    return Response(text, status_code=status, headers={"content-type": "application/json; charset=GB18030"})
