"""One module per kind of source, from its answer to typed sections of the clean row."""
