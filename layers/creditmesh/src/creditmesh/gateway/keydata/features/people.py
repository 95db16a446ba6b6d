"""Features of the legal representative's education and of the anti-fraud service."""

from __future__ import annotations

from creditmesh.gateway.keydata.features.feature import Feature
from creditmesh.gateway.keydata.formula import (
    Field,
    Fold,
    Item,
    Not,
    Rows,
    both,
    item_is,
    number,
    since,
)

PEOPLE = (
    Feature("legal_rep_degree_level", "points", "as of",
            "The legal representative's highest verified degree: 0 none, 1 secondary, 2 associate, 3 bachelor, "
            "4 master, 5 doctor.",
            Fold("max", Rows("degrees", Item("verified")), Item("rank"), 0)),
    Feature("legal_rep_unverified_degrees", "count", "as of", "Degrees claimed that the register does not confirm.",
            number("degrees", Not(Item("verified")))),
    Feature("fraud_score", "points", "as of", "The anti-fraud service's score, 0 to 1,000, high is suspicious.",
            Field("fraud.score")),
    Feature("fraud_level", "code", "as of", "The anti-fraud service's level: low, medium, high.",
            Field("fraud.level")),
    Feature("fraud_hit_count_24m", "count", "24m and the running month", "Hits of the anti-fraud service.",
            number("fraud_hits", since(24, "on"))),
    Feature("fraud_hit_high_count_24m", "count", "24m and the running month", "Hits of high severity.",
            number("fraud_hits", both(item_is("severity", "high"), since(24, "on")))),
)  # fmt: skip
