"""Retention: deletes what is no longer needed, and says what is kept and why."""
