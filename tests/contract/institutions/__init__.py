"""What docs/reference/institutions.md says, held against the embedded institutions."""
