"""About the API itself."""

from __future__ import annotations

import json
from functools import cache

from chalice.app import Blueprint

import creditmesh
from api import openapi
from api.routing import Call, route
from api.schemas import Health
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.settings import settings
from creditmesh.platform.web import JSON, Reply

blueprint = Blueprint(__name__)


@route(blueprint, "GET", "/v1/health", roles=None)
def health(call: Call) -> Health:
    """Report that the API is up."""
    return Health(version=creditmesh.__version__)


@route(blueprint, "GET", "/v1/openapi.json", roles=None, produces={JSON: None})
def read_openapi(call: Call) -> Reply:
    """Read this description."""
    return Reply(200, _document())


@cache
def _document() -> str:
    server = platform().parameter(settings().public_url_parameter)
    return json.dumps(openapi.document(blueprint.current_app, server), ensure_ascii=False)
