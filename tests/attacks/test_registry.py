import subprocess
import sys

import numpy as np
import pytest

import robust_ts.attacks as attacks
from robust_ts.attacks import IMAGE_TRIGGERS, TRIGGERS, ImageTrigger, Trigger, make_trigger


def test_the_public_grid_comes_first():
    assert list(TRIGGERS)[:6] == ["patch", "midpatch", "sine", "noise", "powerline", "blend"]


@pytest.mark.parametrize("name", IMAGE_TRIGGERS)
def test_a_name_of_an_image_trigger_gives_one_with_the_seed(name):
    trigger = make_trigger(name, random_state=7)
    assert isinstance(trigger, ImageTrigger)
    assert trigger is not make_trigger(name, random_state=7)
    assert trigger.get_params() == {**IMAGE_TRIGGERS[name]().get_params(), "random_state": 7}


def test_no_name_is_used_twice():
    assert not set(TRIGGERS) & set(IMAGE_TRIGGERS)


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_name_gives_a_new_default_trigger_with_the_seed(name):
    trigger = make_trigger(name, random_state=7)
    assert isinstance(trigger, Trigger)
    assert trigger is not make_trigger(name, random_state=7)
    given = {"random_state": 7} if "random_state" in trigger.get_params() else {}
    assert trigger.get_params() == {**type(trigger)().get_params(), **given}
    assert type(TRIGGERS[name]()) is type(trigger)


def test_every_public_trigger_has_a_name():
    public = {
        value
        for value in vars(attacks).values()
        if isinstance(value, type) and issubclass(value, (Trigger, ImageTrigger))
    }
    named = {type(make_trigger(name)) for name in (*TRIGGERS, *IMAGE_TRIGGERS)}
    assert named == public - {Trigger, ImageTrigger}


def test_an_unknown_name_lists_the_nearest():
    with pytest.raises(ValueError, match=r"no trigger 'Pach'\. Did you mean 'patch'"):
        make_trigger("Pach")
    with pytest.raises(ValueError, match=r"no trigger 'zzz'\. The names are: patch, midpatch"):
        make_trigger("zzz")


def test_all_public_names_exist_and_none_needs_torch():
    assert all(hasattr(attacks, name) for name in attacks.__all__)
    code = "import sys, robust_ts.attacks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_seeds_may_be_random_states():
    X = np.random.RandomState(0).randn(3, 20)
    state = np.random.RandomState(0)
    first, second = (make_trigger("noise", state).fit_transform(X) for _ in range(2))
    np.testing.assert_array_equal(first, make_trigger("noise", 0).fit_transform(X))
    assert not np.array_equal(first, second)
