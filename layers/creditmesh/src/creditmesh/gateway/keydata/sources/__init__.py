"""One module per source of third information: its answer made typed sections of the clean row."""
