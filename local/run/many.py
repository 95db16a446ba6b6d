"""Any number of applications of ordinary firms, for benchmarks and fault tests; deterministic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from institutions.config import today
from institutions.population import DEFAULT_SEED, PERSONAS, Firm, Population, blacklist_entries
from run import stack
from run.cases import Case
from run.cases import Firm as Asking
from run.places import Ports
from run.platform import LocalPlatform, Steps

POPULATION = 1_000
_TERMS = (12, 6, 24, 18)
_STEP_YUAN = 10_000


def cases(count: int, *, skip: int = 0, seed: int = DEFAULT_SEED, population: int = POPULATION) -> list[Case]:
    """Firms that most lenders accept, each with a typical request.

    Raises:
        ValueError: the population has too few.
    """
    found = [_case(firm, number) for number, firm in enumerate(_sound(Population(seed, population)))]
    if len(found) < skip + count:
        raise ValueError(f"only {len(found)} such firms among {population}")
    return found[skip : skip + count]


def platform(state_dir: Path, first_port: int, steps: Steps | None = None) -> LocalPlatform:
    """An instance with enough firms and patience with busy lenders."""
    return LocalPlatform(
        state_dir,
        Ports(first_port),
        steps=steps,
        population=POPULATION,
        lender_seconds=stack.PATIENT_LENDER_SECONDS,
    )


def _sound(firms: Population) -> Iterator[Firm]:
    listed = set(blacklist_entries(firms.seed, firms.size))
    for index in range(len(PERSONAS), firms.size):
        firm = firms.firm(index, today())
        sound = min(firm.factors.quality, firm.factors.discipline) > 0.1 and firm.established_on.year < 2022
        if sound and firm.taxpayer_id not in listed:
            yield firm


def _case(firm: Firm, number: int) -> Case:
    yuan = firm.annual_revenue_fen // 100 // 25 // _STEP_YUAN * _STEP_YUAN
    application = {
        "amount": f"{max(100_000, min(800_000, yuan))}.00",
        "currency": "CNY",
        "term_months": _TERMS[number % len(_TERMS)],
        "purpose": "Working capital",
        "flow_id": "tax",
    }
    asking = Asking(name=firm.name, name_latin=firm.name_latin, taxpayer_id=firm.taxpayer_id)
    return Case(persona=firm.persona, firm=asking, application=application)
