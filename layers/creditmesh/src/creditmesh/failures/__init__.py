"""Events that failed for good: recorded from the dead letters, listed, replayed."""
