"""Offers: the lenders' catalogue, matches and the borrower's choice."""

from __future__ import annotations

from chalice.app import Blueprint

from api.cursors import following, window
from api.model_schemas import Note, Reason
from api.roles import APPLICANTS, LENDERS, REPLAYERS
from api.routing import Call, Key, route, version_number
from api.schemas import ApplicationView, Choice, Listing, Matches, ProductListing, Products, SpeedQuery, VersionListing
from creditmesh.intake.bootstrap import intake
from creditmesh.intake.model import ApplicationClosed, NotAwaited
from creditmesh.kernel.caller import STAFF
from creditmesh.kernel.errors import SamePerson
from creditmesh.offers.bootstrap import matchings, offers, products
from creditmesh.offers.exposure import CapacityExhausted, LimitExhausted
from creditmesh.offers.model import NotALender, NotProposed, Product, ProductTerms
from creditmesh.offers.offer import Nearest, Wanted
from creditmesh.offers.replay import MatchingGone, MatchReplay
from creditmesh.offers.speed import Speed
from creditmesh.platform.paging import cut, numbered

blueprint = Blueprint(__name__)


@route(blueprint, "GET", "/v1/applications/{application_id}/matches")
def read_matches(call: Call, application_id: str, query: Listing) -> Matches:
    """Read the offers of an application, best first; else the nearest product; a lender sees its own."""
    application, ranked = offers().of(call.caller, application_id)
    found = numbered(ranked, window(call, query))
    return Matches(
        matches=found.items,
        nearest=Nearest.model_validate(application.nearest) if application.nearest else None,
        next=following(call, query, found),
    )


@route(blueprint, "GET", "/v1/applications/{application_id}/matches/replay", roles=REPLAYERS, raises=[MatchingGone])
def replay_matching(call: Call, application_id: str) -> MatchReplay:
    """Match an application again with the products, limit and day of then, and compare the offers."""
    application = intake().read(call.caller, application_id)
    return matchings().replay(application)


@route(
    blueprint,
    "POST",
    "/v1/applications/{application_id}/choice",
    roles=APPLICANTS,
    status=202,
    key=Key.NEEDLESS,
    raises=[ApplicationClosed, NotAwaited, LimitExhausted, CapacityExhausted],
)
def choose(call: Call, application_id: str, body: Choice) -> ApplicationView:
    """Choose one of the offers, and amount, term and method within it; the amount is reserved with the choice."""
    return ApplicationView.of(offers().choose(call.caller, application_id, Wanted(**body.model_dump())))


@route(blueprint, "GET", "/v1/products")
def list_products(call: Call, query: ProductListing) -> Products:
    """List the catalogue, by lender, or the versions that wait for a second person; a lender sees its own products."""
    chosen = products().proposed_for if query.state == "proposed" else products().catalogue_for
    known = sorted(chosen(call.caller), key=_place)
    found = cut(known, window(call, query), _place)
    return Products(products=found.items, next=following(call, query, found))


@route(blueprint, "PUT", "/v1/products/{product_id}", roles=LENDERS, raises=[NotALender])
def push_product(call: Call, product_id: str, body: ProductTerms) -> Product:
    """Push a version of one of the lender's own products: in force at once, or proposed; equal terms make none."""
    return products().push(call.caller, product_id, body)


@route(blueprint, "GET", "/v1/products/{product_id}/versions", roles=LENDERS | STAFF)
def list_versions(call: Call, product_id: str, query: VersionListing) -> Products:
    """List the versions of a product, newest first; a lender its own product's."""
    known = products().versions(call.caller, product_id, query.lender_id)
    found = cut(known, window(call, query), lambda one: [-one.version])
    return Products(products=found.items, next=following(call, query, found))


@route(blueprint, "GET", "/v1/products/{product_id}/speed", roles=LENDERS | STAFF)
def read_speed(call: Call, product_id: str, query: SpeedQuery) -> Speed:
    """Read how long a product's payments took from choice to payment; a lender its own product's."""
    return products().speed(call.caller, product_id, query.lender_id)


_VERSION = "/v1/products/{product_id}/versions/{version}"
_DECIDING = (NotALender, NotProposed)


@route(
    blueprint,
    "POST",
    f"{_VERSION}/approval",
    roles=LENDERS,
    key=Key.NEEDLESS,
    raises=[*_DECIDING, SamePerson],
)
def approve_product(call: Call, product_id: str, version: str, body: Note) -> Product:
    """Put a proposed version in force; who entered it cannot."""
    return products().approve(call.caller, product_id, version_number(version), body.note)


@route(blueprint, "POST", f"{_VERSION}/rejection", roles=LENDERS, key=Key.NEEDLESS, raises=_DECIDING)
def reject_product(call: Call, product_id: str, version: str, body: Reason) -> Product:
    """Turn a proposed version down."""
    return products().reject(call.caller, product_id, version_number(version), body.reason)


@route(blueprint, "DELETE", "/v1/products/{product_id}", roles=LENDERS, status=204, raises=[NotALender])
def take_product_back(call: Call, product_id: str) -> None:
    """Take one of the lender's own products out of the catalogue."""
    products().take_back(call.caller, product_id)


def _place(product: Product) -> list[str]:
    return [product.lender_id, product.product_id]
