"""The tax bureau's answer: standing, statements, payments, invoices."""

from __future__ import annotations

from datetime import date

from creditmesh.features.answer import Answer
from creditmesh.features.schema import CREDIT_RATINGS, TAXPAYER_STATUSES, Values
from creditmesh.features.sources.common import not_after
from creditmesh.features.sources.invoices import clean_invoices
from creditmesh.features.sources.payments import clean_payments
from creditmesh.features.sources.statements import clean_statements


def clean(answer: Answer, as_of: date) -> Values:
    basics = answer.section("basics")
    registered_on = not_after(basics, "registered_on", basics.day("registered_on"), as_of)
    values = {
        "status": basics.choice("status", TAXPAYER_STATUSES),
        "credit_rating": basics.choice("credit_rating", CREDIT_RATINGS, optional=True),
        "registered_on": registered_on,
    }
    return {
        "tax_basics": values if basics.present else None,
        "statements": clean_statements(answer, as_of),
        "payments": clean_payments(answer, as_of),
        "invoices": clean_invoices(answer, as_of, registered_on),
    }
