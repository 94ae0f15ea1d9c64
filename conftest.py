"""One thread a process, for tests and docstring examples alike.

The networks and matrices of the tests are too small to gain from a second thread, and two
processes of two spinning threads each are many times slower than of one.
"""

import os

# Before NumPy, SciPy and torch are imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# Without it scikit-learn skips one of its estimator checks.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
