"""Benchmarks; each writes its figures to build/bench/."""
