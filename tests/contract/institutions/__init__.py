"""What docs/interfaces/institutions.md says, held against the embedded institutions."""
