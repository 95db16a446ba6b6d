"""Lists: who is black, grey or white, found exactly or by a similar name."""
