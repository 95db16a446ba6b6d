"""The company registry: a firm's record, authenticated by a key."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from institutions.access import key_right
from institutions.config import Config
from institutions.population import Population
from institutions.registry_figures import registry_data


class CompanyRegistry:
    """The registry's one route over the made-up population."""

    def __init__(self, name: str, config: Config) -> None:
        self._settings = config.institutions[name]
        self._config = config
        self._population = Population(config.seed, config.population)

    def routes(self) -> list[Route]:
        return [Route("/api/v1/companies/{taxpayer_id}", self.company, methods=["GET"])]

    async def company(self, request: Request) -> Response:
        """One company's record."""
        if not key_right(request.headers, self._settings.api_key):
            return JSONResponse({"error": "invalid_api_key"}, status_code=401)
        firm = self._population.by_taxpayer_id(request.path_params["taxpayer_id"], self._config.today())
        if firm is None:
            return JSONResponse({"error": "no_such_company"}, status_code=404)
        return JSONResponse(registry_data(firm, self._config.today()))
