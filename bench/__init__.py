"""Benchmarks: ours beside the reference, on the same input, in one process.

Each module here with a function ``rows()`` is a benchmark, found by listing the folder; ``python -m bench`` runs them
all, ``python -m bench NAME`` one of them.
"""

import os

# read by NumPy when it is imported, which is later: one thread for ours and for the reference, as in the server
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"
