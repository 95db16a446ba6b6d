"""The embedded cloud: MiniStack (MIT, exact pin) in one process, extended by named mends.

Run ``PYTHONPATH=local .venvs/cloud/bin/python -m cloud.server``; see ``docs/reference/embedded-cloud.md``.
"""
