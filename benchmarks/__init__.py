"""Speed and exactness, measured: ``python -m benchmarks``.

One BLAS thread, set here because it must be set before NumPy is imported: threads that compete for a busy
machine slow down the many small products of the loops that ours is compared with, and flatter the ratio.
"""

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_variable] = "1"
