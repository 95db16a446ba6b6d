"""Black, grey and white lists with exact search and search by similar names."""
