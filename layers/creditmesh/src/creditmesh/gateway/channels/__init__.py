"""Channels: sources of credit data, called and read by configuration alone."""
