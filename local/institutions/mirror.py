"""The registry mirror: a vendor that republishes the company registry, partly in the form it had before 2022."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from institutions.access import key_right
from institutions.config import Config
from institutions.population import Firm, Population
from institutions.registry_figures import registry_data


class RegistryMirror:
    """The mirror's one route over the made-up population."""

    def __init__(self, name: str, config: Config) -> None:
        self._settings = config.institutions[name]
        self._config = config
        self._population = Population(config.seed, config.population)

    def routes(self) -> list[Route]:
        return [Route("/extracts", self.extract, methods=["GET"])]

    async def extract(self, request: Request) -> Response:
        """One company's extract, in the form in which the mirror holds it."""
        if not key_right(request.headers, self._settings.api_key):
            return JSONResponse({"error": "invalid_api_key"}, status_code=401)
        firm = self._population.by_taxpayer_id(request.query_params.get("uscc", ""), self._config.today())
        if firm is None:
            return JSONResponse({"error": "no_extract"}, status_code=404)
        return JSONResponse(extract(registry_data(firm, self._config.today()), older=in_older_form(firm)))


def in_older_form(firm: Firm) -> bool:
    """Whether the mirror never converted the firm's extract: so with one in two."""
    return firm.draw("mirror").chance(0.5)


def extract(known: dict[str, Any], *, older: bool) -> dict[str, Any]:
    """The registry's answer as the mirror gives it; the older form lacks insured employees."""
    if older:
        reports = [{"year": one["year"], "filed_on": one["filed_on"]} for one in known["filings"]]
        entry = {"entry": known["registration"], "annual_reports": reports}
        return entry | {name: known[name] for name in ("changes", "pledges", "operations", "penalties", "currency")}
    return {"extract": {name: one for name, one in known.items() if name != "generated_at"}, "form": 2}
