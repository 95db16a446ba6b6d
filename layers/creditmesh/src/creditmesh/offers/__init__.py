"""Lenders' catalogue and its matching to an application (C17-C20)."""
