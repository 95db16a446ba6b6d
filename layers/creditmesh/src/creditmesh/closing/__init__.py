"""Submission to a lender, its decision, contract, disbursement."""
