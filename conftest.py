"""One thread a process, and no doctests of what is not installed.

The networks and matrices of the tests are too small to gain from a second thread, and two
processes of two spinning threads each are many times slower than of one.
"""

import os
from importlib.util import find_spec

# Before NumPy, SciPy and torch are imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# Without it scikit-learn skips one of its estimator checks.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

_NEEDS = {"robust_ts/aeon.py": "aeon", "robust_ts/forecasting/distributions.py": "skpro"}

collect_ignore = [path for path, library in _NEEDS.items() if find_spec(library) is None]
