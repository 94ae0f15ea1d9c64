import numpy as np
import pytest

from robust_ts.defense.ledger import Ledger


@pytest.fixture
def ledger():
    ledger = Ledger(np.array([0, 1, 1]))
    ledger.record("main", 1, np.array([2.0, 1.0, np.nan]))
    ledger.record("main", 2, np.array([1.0, 0.5, np.nan]))
    return ledger


def test_losses_are_stacked_by_epoch(ledger):
    np.testing.assert_array_equal(ledger.losses("main"), [[2, 1, np.nan], [1, 0.5, np.nan]])
    assert ledger.epochs == {"main": [1, 2]}


def test_amending_fills_the_last_epoch_with_the_loss_of_the_given_label(ledger):
    probabilities = np.array([[0, 0], [0, 0], [0.75, 0.25]])
    ledger.amend("main", np.array([False, False, True]), probabilities)
    np.testing.assert_allclose(ledger.losses("main")[1], [1.0, 0.5, np.log(4)], rtol=1e-6)
    assert np.isnan(ledger.losses("main")[0, 2])


def test_recorded_arrays_are_copies(ledger):
    losses = np.zeros(3, dtype=np.float32)
    ledger.record("main", 3, losses)
    losses[:] = 9
    assert (ledger.losses("main")[2] == 0).all()


def test_wrong_shape_is_refused(ledger):
    with pytest.raises(ValueError, match="losses have shape"):
        ledger.record("main", 3, np.zeros((3, 2)))
