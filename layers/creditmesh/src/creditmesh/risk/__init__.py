"""Rules, scorecard, grade, price, limit: one artefact, two evaluators, equal results."""
