"""Credit-data gateway: channels to sources, raw answers, collected key data."""
