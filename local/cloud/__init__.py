"""The embedded cloud: MiniStack (MIT, exact pin) in one process, what it lacks added by named mends.

Run ``PYTHONPATH=local .venvs/cloud/bin/python -m cloud.server``; ``docs/reference/embedded-cloud.md`` tells the rest.
"""
