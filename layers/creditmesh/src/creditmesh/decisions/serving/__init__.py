"""Shared by functions and the resident Spark job: queue, current models, worker. Clients are arguments."""
