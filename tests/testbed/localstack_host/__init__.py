"""LocalStack's last open core in host mode, with what it lacks put in from elsewhere (docs/how-to/localstack.md).

``config`` and ``platform`` run in the developer's environment; ``server``, ``upstream`` and ``substitutions`` run in
``.venvs/localstack`` only. The folder is not called ``localstack``: it would hide the product of that name.
"""
