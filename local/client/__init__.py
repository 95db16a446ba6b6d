"""A client of the platform's REST API and a simulated borrower, as another firm's developers would write them.

Used by `make run`, the benchmarks and the tests; depends on docs/reference/api.md only.
"""

from client.api import Api, ProblemError
from client.borrower import Borrower, Journey
from client.bureau import Bureau, BureauError, Grant
from client.crowd import Crowd, Outcome
from client.views import ApplicationView, Contract, Offer

__all__ = [
    "Api",
    "ApplicationView",
    "Borrower",
    "Bureau",
    "BureauError",
    "Contract",
    "Crowd",
    "Grant",
    "Journey",
    "Offer",
    "Outcome",
    "ProblemError",
]
