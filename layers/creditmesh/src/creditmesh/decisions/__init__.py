"""Decisions on applications: scoring requests, the resident job, the evaluator in Lambda, report, log, replay."""
