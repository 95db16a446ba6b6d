"""Exceptions: what a person must look at, though no process waits for it."""

from __future__ import annotations

from typing import Final

UNEXPECTED_PAYMENT: Final = "UnexpectedPayment"
"""A lender reports a payment that no order explains."""
STAGES = frozenset({UNEXPECTED_PAYMENT})
ACTIONS: tuple[str, ...] = ("settle",)
"""`settle`: the person has cleared it, as the note says."""
