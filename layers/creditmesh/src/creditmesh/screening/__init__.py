"""Lists: who is black, grey or white, found exactly or by a similar name (C12, M04, M05)."""
