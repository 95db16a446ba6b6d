"""Delivery of the outbox's messages."""
