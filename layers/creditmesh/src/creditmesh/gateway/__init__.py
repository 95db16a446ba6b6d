"""Credit-data gateway: sources, raw answers, key data (C07, C09, C10)."""
