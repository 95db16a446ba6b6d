"""Channels: how a source of credit data is asked and read, by configuration alone."""
