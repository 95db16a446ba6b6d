"""The AWS side shared by all contexts: tables, objects, events, secrets, HTTP, observability, bootstrap."""
