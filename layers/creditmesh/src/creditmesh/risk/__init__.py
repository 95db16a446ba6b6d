"""Rules, scorecard, grade, price, limit: one artefact, two evaluators, equal results (C11-C16, M06, M07, M09, M10)."""
