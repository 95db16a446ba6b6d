"""The package every function, job and tool of the platform shares."""

__version__ = "0.1.0"
