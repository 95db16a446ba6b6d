"""The embedded institutions: tax bureau, company registry and lenders as real HTTP servers (docs/institutions.md)."""
