"""Loan applications from request to outcome."""
