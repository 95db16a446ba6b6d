"""The REST API: a Chalice app with one blueprint per context."""
