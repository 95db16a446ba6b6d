"""Consent and authorisation codes (C02-C08)."""
