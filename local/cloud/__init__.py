"""The embedded cloud: MiniStack (MIT, exact pin) in one process, with what it lacks added by small named mends (DESIGN 11).

Run ``PYTHONPATH=local .venvs/cloud/bin/python -m cloud.server``; ``docs/embedded-cloud.md`` tells the rest.
"""
