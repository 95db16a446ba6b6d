"""Consent and authorisation codes."""
