"""Benchmarks: ours beside the reference, on the same input, in one process.

Each module here with a function ``rows()`` is a benchmark, found by listing the folder; ``python -m bench`` runs them
all, ``python -m bench NAME`` one of them.
"""
