"""``import robust_ts`` is light, and every public name is there."""

import subprocess
import sys

import pytest

import robust_ts


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_import_loads_nothing_heavy():
    heavy = "'torch', 'sktime', 'matplotlib', 'sklearn', 'pandas', 'scipy', 'tsai'"
    code = f"import sys, robust_ts; print([m for m in ({heavy}) if m in sys.modules])"
    assert run(code) == "[]"


def test_listing_the_names_loads_nothing_heavy():
    code = "import sys, robust_ts; dir(robust_ts); print('torch' in sys.modules)"
    assert run(code) == "False"


def test_an_estimator_loads_neither_sktime_nor_matplotlib_nor_tsai():
    code = (
        "import sys, robust_ts; robust_ts.NeuralClassifier; "
        "print([m for m in ('sktime', 'matplotlib', 'tsai') if m in sys.modules])"
    )
    assert run(code) == "[]"


@pytest.mark.parametrize("name", robust_ts._LAZY)
def test_public_names_resolve(name):
    assert getattr(robust_ts, name).__name__ == name


def test_every_lazy_name_is_public_and_listed():
    assert {*robust_ts._LAZY, "__version__"} == set(robust_ts.__all__)
    assert set(robust_ts.__all__) <= set(dir(robust_ts))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'robust_ts' has no attribute 'Nothing'"):
        _ = robust_ts.Nothing
