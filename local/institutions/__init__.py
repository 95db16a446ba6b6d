"""The embedded institutions: sources and lenders as HTTP servers (docs/reference/embedded-institutions.md)."""
