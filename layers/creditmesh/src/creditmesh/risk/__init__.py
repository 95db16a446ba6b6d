"""The risk model: one artefact, two evaluators, equal results."""
