"""The embedded institutions: sources, registers and lenders as real HTTP servers (docs/institutions.md)."""
