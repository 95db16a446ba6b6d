"""Values every context shares: money, identifiers, clock, ids, errors, the caller."""
