"""Modules that need a library which is not installed have no doctests to collect."""

from importlib.util import find_spec

_NEEDS = {"robust_ts/aeon.py": "aeon", "robust_ts/forecasting/distributions.py": "skpro"}

collect_ignore = [path for path, library in _NEEDS.items() if find_spec(library) is None]
