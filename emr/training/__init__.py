"""Training of the scorecard: from loans with known outcome to integer points tables."""
