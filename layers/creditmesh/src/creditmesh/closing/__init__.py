"""Submission to a lender, its decision, contract, disbursement (C21-C24)."""
