"""Credit-data gateway: sources, raw answers, key data."""
