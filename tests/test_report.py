import numpy as np
import pandas as pd
import pytest

from robust_ts import PoisonReport


@pytest.fixture
def report():
    return PoisonReport(
        given_labels=np.array(["a", "b", "a", "a", "b"]),
        suspicion=np.array([0.9, 0.0, 1.0, 0.5, 0.1]),
        verdicts=np.array(["poisoned", "clean", "poisoned", "uncertain", "clean"]),
        recovered_labels=np.array(["b", None, None, None, None], dtype=object),
    )


def test_flags_and_clean_indices_follow_the_verdicts(report):
    np.testing.assert_array_equal(report.is_poisoned, [True, False, True, False, False])
    np.testing.assert_array_equal(report.clean_indices, [1, 4])


def test_a_report_shows_counts_in_the_place_of_its_arrays(report):
    assert repr(report) == str(report) == "PoisonReport(n_samples=5, n_poisoned=2, n_uncertain=1)"


def test_frame_is_in_input_order_and_marks_missing_labels(report):
    frame = report.to_frame()
    assert list(frame.columns) == ["given_label", "recovered_label", "suspicion", "verdict"]
    assert list(frame["given_label"]) == ["a", "b", "a", "a", "b"]
    assert list(frame["recovered_label"].isna()) == [False, True, True, True, True]
    assert frame["suspicion"].tolist() == [0.9, 0.0, 1.0, 0.5, 0.1]


def test_integer_labels_survive_the_frame_and_its_csv(tmp_path):
    report = PoisonReport(
        np.array([3, 4]),
        np.array([1.0, 0.0]),
        np.array(["poisoned", "clean"]),
        np.array([4, None], dtype=object),
    )
    report.to_frame().to_csv(tmp_path / "report.csv")
    text = (tmp_path / "report.csv").read_text().splitlines()
    assert text[1] == "0,3,4,1.0,poisoned"
    assert pd.read_csv(tmp_path / "report.csv")["recovered_label"].isna().tolist() == [False, True]


def test_summary_says_how_many_on_which_class_and_what_they_were(report):
    text = report.summary()
    assert "2 of 5 training samples (40.0%) look poisoned" in text
    assert "class 'a': 2 of 3 samples" in text
    assert "'b' x 1" in text
    assert "1 of 2 poisoned samples got a label back. 1 samples are uncertain" in text


def test_summary_without_an_attack():
    report = PoisonReport(
        np.array([0, 1]), np.zeros(2), np.array(["clean"] * 2), np.array([None] * 2, dtype=object)
    )
    assert report.summary().startswith("No attack found: none of 2")


def test_inconsistent_arrays_are_refused(report):
    with pytest.raises(ValueError, match="suspicion must have shape"):
        PoisonReport(report.given_labels, np.zeros(2), report.verdicts, report.recovered_labels)
    with pytest.raises(ValueError, match="verdicts must be among"):
        PoisonReport(
            report.given_labels, report.suspicion, np.array(["?"] * 5), report.recovered_labels
        )


def test_plot_shows_every_sample_once(report):
    ax = report.plot()
    assert sum(len(c.get_offsets()) for c in ax.collections) == 5
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b"]
