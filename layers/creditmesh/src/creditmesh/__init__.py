"""The package every function, job and tool of the platform shares."""
