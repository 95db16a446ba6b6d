"""The court register: SOAP 1.1, authenticated by a key."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from institutions.access import key_right
from institutions.config import Config
from institutions.court_figures import judicial_data
from institutions.population import Population

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
NAMESPACE = "urn:court-register:judicial-query:1"
_OPERATION = "QueryJudicialRecord"
_LARGEST_BODY = 65_536
# Names of the elements of repeated sections.
_ITEMS = {"cases": "Case", "enforcement": "Order"}
ElementTree.register_namespace("soap", SOAP)


class RequestRefused(ValueError):
    """The request is not a valid query."""


class CourtRegister:
    """The register's service over the made-up population."""

    def __init__(self, name: str, config: Config) -> None:
        self._settings = config.institutions[name]
        self._config = config
        self._population = Population(config.seed, config.population)

    def routes(self) -> list[Route]:
        return [Route("/services/JudicialQuery", self.query, methods=["POST"])]

    async def query(self, request: Request) -> Response:
        """One firm's cases, enforcement orders and listing."""
        if not key_right(request.headers, self._settings.api_key):
            return _fault(401, "Client", "invalid_api_key")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/xml":
            return _fault(415, "Client", "not_text_xml")
        try:
            taxpayer_id = _asked(await request.body())
        except RequestRefused as refusal:
            return _fault(400, "Client", str(refusal))
        day = self._config.today()
        firm = self._population.by_taxpayer_id(taxpayer_id, day)
        if firm is None:
            # A SOAP fault over HTTP is always a 500 (SOAP 1.1, section 6.2).
            return _fault(500, "Client", "no_such_company")
        return _answer(200, _element(f"{_OPERATION}Response", judicial_data(firm, day), xmlns=NAMESPACE))


def _asked(body: bytes) -> str:
    if len(body) > _LARGEST_BODY:
        raise RequestRefused("too_large")
    try:
        text = body.decode("utf-8")
        if "<!DOCTYPE" in text:
            raise RequestRefused("doctype_refused")
        root = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        raise RequestRefused("not_xml") from error
    found = root.find(f"{{{SOAP}}}Body/{{{NAMESPACE}}}{_OPERATION}/{{{NAMESPACE}}}TaxpayerId")
    if root.tag != f"{{{SOAP}}}Envelope" or found is None or not (found.text or "").strip():
        raise RequestRefused("invalid_request")
    return (found.text or "").strip()


def _element(name: str, value: Any, **attributes: str) -> ElementTree.Element:
    """A value as an element: names in CamelCase, lists as repeated elements, without nulls."""
    element = ElementTree.Element(name, attributes)
    if isinstance(value, dict):
        for key, one in value.items():
            if isinstance(one, list):
                section = ElementTree.SubElement(element, _camel(key))
                section.extend([_element(_ITEMS[key], item) for item in one])
            elif one is not None:
                element.append(_element(_camel(key), one))
    else:
        element.text = str(value).lower() if isinstance(value, bool) else str(value)
    return element


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _fault(status: int, code: str, reason: str) -> Response:
    fault = ElementTree.Element(f"{{{SOAP}}}Fault")
    fault.append(_element("faultcode", f"soap:{code}"))
    fault.append(_element("faultstring", reason))
    return _answer(status, fault)


def _answer(status: int, content: ElementTree.Element) -> Response:
    envelope = ElementTree.Element(f"{{{SOAP}}}Envelope")
    ElementTree.SubElement(envelope, f"{{{SOAP}}}Body").append(content)
    text = ElementTree.tostring(envelope, encoding="utf-8", xml_declaration=True)
    return Response(text, status_code=status, media_type="text/xml; charset=utf-8")
