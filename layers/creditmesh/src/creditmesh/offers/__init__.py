"""Lenders' catalogue and its matching to an application."""
