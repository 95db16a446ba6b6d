"""Training of the scorecard: from loans with an outcome to integer tables of points."""
