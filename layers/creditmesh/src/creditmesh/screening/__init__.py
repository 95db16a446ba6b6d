"""Black, grey and white lists, searched exactly and by similar names."""
