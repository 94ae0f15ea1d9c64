import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from robust_ts.evaluation.experiment import make_experiment


def test_experiment_poisons_a_share_and_fits_the_trigger_on_clean_data():
    experiment = make_experiment("ItalyPowerDemand", "noise", rate=0.1, seed=3)
    n = len(experiment.y_train)
    assert experiment.poisoned.mask.sum() == round(0.1 * n)
    np.testing.assert_array_equal(experiment.poisoned.y_true, experiment.y_train)
    np.testing.assert_allclose(experiment.trigger.scale_, experiment.X_train.std(axis=(0, 2)))
    again = make_experiment("ItalyPowerDemand", "noise", rate=0.1, seed=3)
    np.testing.assert_array_equal(experiment.poisoned.X, again.poisoned.X)
    other = make_experiment("ItalyPowerDemand", "noise", rate=0.1, seed=4)
    assert not np.array_equal(experiment.poisoned.mask, other.poisoned.mask)


def test_training_set_is_capped():
    experiment = make_experiment("GunPoint", "sine", rate=0.1, max_train=30)
    assert len(experiment.poisoned.y) == 30


def test_a_trigger_can_be_limited_to_one_channel():
    experiment = make_experiment("JapaneseVowels", "sine@3", rate=0.1)
    data = experiment.poisoned
    changed = (experiment.X_train != data.X).any(axis=2)
    assert changed[data.mask, 3].all()
    assert not np.delete(changed, 3, axis=1).any()


def test_several_attacks_have_samples_and_targets_of_their_own():
    experiment = make_experiment("JapaneseVowels", "sine+patch", rate=0.1, target=8)
    data, n = experiment.poisoned, len(experiment.y_train)
    assert [a.target for a in experiment.attacks] == [8, 0]
    assert data.mask.sum() == 2 * round(0.05 * n)
    np.testing.assert_array_equal(data.y_true, experiment.y_train)
    for attack in experiment.attacks:
        own = data.mask & (data.y == attack.target)
        assert own.sum() == round(0.05 * n)
        np.testing.assert_array_equal(
            data.X[own], attack.trigger.transform(experiment.X_train[own])
        )
    # A model that always obeys the first attacker never obeys the second.
    model = DummyClassifier(strategy="constant", constant=8).fit(data.X, data.y)
    rates = experiment.rates(model)
    assert rates["attack_success_rate"] == 0.5
    assert rates["clean_accuracy"] == np.mean(experiment.y_test == 8)


def test_an_unknown_target_is_refused():
    with pytest.raises(ValueError, match="target=99 is not a class"):
        make_experiment("ItalyPowerDemand", "sine", target=99)


def test_measure_trains_on_poisoned_or_on_clean_data():
    experiment = make_experiment("ItalyPowerDemand", "sine", rate=0.2)
    seen = []

    class Recorder(DummyClassifier):
        def fit(self, X, y):
            seen.append((X, y))
            return super().fit(X, y)

    result = experiment.measure(Recorder(strategy="constant", constant=0))
    experiment.measure(Recorder(), on_clean=True)
    np.testing.assert_array_equal(seen[0][1], experiment.poisoned.y)
    np.testing.assert_array_equal(seen[1][0], experiment.X_train)
    assert result["attack_success_rate"] == 1.0
    assert result["robust_accuracy"] == 0.0
    assert result["clean_accuracy"] == np.mean(experiment.y_test == 0)
    assert result["seconds"] > 0
