"""The feature table, one module per subject; ``table`` puts them together."""
