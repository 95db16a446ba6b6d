"""Loan applications from request to outcome (C01)."""
