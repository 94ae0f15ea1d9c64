from dataclasses import fields

import pytest

from robust_ts import E2ABLClassifier
from robust_ts.defense.constants import STAGES, DefenseConstants
from robust_ts.defense.propose import propose
from robust_ts.defense.views import feature_views
from robust_ts.evaluation.variants import (
    ABLATION,
    FIT_SENSITIVITY,
    LATER_CONSTANTS,
    SENSITIVITY,
    neighbors,
    variant_classifier,
    variant_constants,
)
from tests.defense._groups import N_CLASSES, poisoned_series

DEFAULT = DefenseConstants()


def test_every_stage_has_a_variant_and_the_first_is_the_method():
    read = [variant_constants(name) for name in ABLATION]
    assert read[0] == DEFAULT
    assert [constants.without for constants in read[1:]] == [{stage} for stage in STAGES]


@pytest.mark.parametrize("name", [*SENSITIVITY[1:], *FIT_SENSITIVITY[1:]])
def test_sensitivity_moves_one_constant_and_keeps_its_kind(name):
    constants = variant_constants(name)
    moved = [
        f.name for f in fields(DEFAULT) if getattr(constants, f.name) != getattr(DEFAULT, f.name)
    ]
    assert len(moved) == 1
    assert type(getattr(constants, moved[0])) is type(getattr(DEFAULT, moved[0]))


def test_shares_stay_below_one_and_others_double():
    low, high = (variant_constants(v).clear_pattern for v in neighbors("clear_pattern"))
    assert 0 < low < DEFAULT.clear_pattern < high < 1
    halved, doubled = (variant_constants(v).ridge for v in neighbors("ridge"))
    assert halved == tuple(v / 2 for v in DEFAULT.ridge)
    assert doubled == tuple(2 * v for v in DEFAULT.ridge)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("e2abl[alarms=1]", "Unknown variant"),
        ("e2abl[alarm]", "Unknown variant"),
        ("e2abl[alarm=0.1", "Unknown variant"),
        ("e2abl[alarm=high]", "high"),
        ("e2abl[without=views]", "Unknown stages"),
    ],
)
def test_names_that_say_nothing_are_refused(name, text):
    with pytest.raises(ValueError, match=text):
        variant_constants(name)


def test_variant_is_the_estimator_with_other_constants():
    cls = variant_classifier("e2abl[alarm=0.01;without=verify/recover]")
    assert cls._constants.alarm == 0.01
    assert cls._constants.without == {"verify", "recover"}
    assert cls("cnn", epochs=3).get_params() == E2ABLClassifier("cnn", epochs=3).get_params()
    assert E2ABLClassifier._constants == DEFAULT


def test_proposals_read_no_constant_of_what_comes_later():
    class Guarded(DefenseConstants):
        def __getattribute__(self, name):
            assert name not in LATER_CONSTANTS, name
            return super().__getattribute__(name)

    X, y, _ = poisoned_series()
    assert len(propose(feature_views(X), y, N_CLASSES, Guarded())) > 0
