"""Sphinx configuration: sphinx-build -W docs docs/_build."""

import robust_ts

project = "robust_ts"
author = "The robust_ts developers"
copyright = "2026, The robust_ts developers"
version = release = robust_ts.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_parser"]
html_theme = "furo"
html_title = "robust_ts"
exclude_patterns = ["_build"]
autosummary_generate = True
autosummary_imported_members = False
autodoc_typehints = "none"
numpydoc_show_class_members = False
myst_enable_extensions = ["colon_fence"]
# Docstrings inherited from scikit-learn point into its own pages.
suppress_warnings = ["ref.ref"]
