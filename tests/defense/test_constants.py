from dataclasses import replace

import numpy as np
import pytest

from robust_ts.classifiers._lesson import Taught
from robust_ts.defense.constants import EVIDENCE, DefenseConstants
from robust_ts.defense.evidence import Proposal
from robust_ts.defense.features import features_of
from robust_ts.defense.patterns import Stamp
from robust_ts.defense.propose import propose
from robust_ts.defense.recover import agreeing, recover
from robust_ts.defense.verify import Reading, verify, weighed
from robust_ts.defense.views import feature_views
from robust_ts.defense.witnesses import Witnesses
from tests.defense._groups import CONSTANTS, N_CLASSES, clean_series, make_proposal, poisoned_series


def leaving_out(*stages: str) -> DefenseConstants:
    return replace(CONSTANTS, without=frozenset(stages))


def test_unknown_stages_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"Unknown stages \['views'\].*known: contradiction"):
        leaving_out("views", "raw")
    with pytest.raises(ValueError, match="must leave one"):
        leaving_out("raw", "local", "global")


@pytest.fixture(scope="module")
def attacked() -> tuple[dict[str, np.ndarray], np.ndarray]:
    X, y, _ = poisoned_series()
    return feature_views(X), y


@pytest.mark.parametrize("stage", EVIDENCE)
def test_a_factor_left_out_counts_as_one(stage, attacked) -> None:
    proposals = propose(*attacked, N_CLASSES, leaving_out(stage))
    assert proposals
    for p in proposals:
        known = {name: getattr(p, name) for name in EVIDENCE} | {stage: 1.0}
        score = max(0.0, known["contradiction"]) * known["diversity"] ** 2
        score *= np.sqrt(known["agreement"]) * known["mixture"] * known["cohesion"]
        assert p.score == pytest.approx(score)


@pytest.mark.parametrize("family", ["raw", "smooth", "local", "global"])
def test_a_family_left_out_is_as_if_it_were_not_there(family, attacked) -> None:
    views, y = attacked
    fewer = {n: v for n, v in views.items() if not n.startswith(family)} | {"raw": views["raw"]}
    if family == "raw":  # values are still needed for cohesion
        fewer = {"raw": views["raw"], **{n: v for n, v in fewer.items() if n != "raw"}}
    left_out = propose(views, y, N_CLASSES, leaving_out(family))
    scores = [p.score for p in left_out]
    assert scores == [p.score for p in propose(fewer, y, N_CLASSES, leaving_out(family))]
    assert scores != [p.score for p in propose(views, y, N_CLASSES, CONSTANTS)]


def test_halves_left_out_leave_the_whole_views() -> None:
    names = [n for n in feature_views(clean_series()[0]) if leaving_out("halves").sees(n)]
    assert names == ["raw", "smooth", "global", "local"]


def test_without_weights_all_views_weigh_the_same() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    maps = [np.eye(3)[y] + 0.1 * rng.normal(size=(60, 3)), rng.normal(size=(60, 3))]
    assert Witnesses.of(maps, y, 3, leaving_out("weights")).weights.tolist() == [1, 1]
    assert np.ptp(Witnesses.of(maps, y, 3, CONSTANTS).weights) > 1


def test_without_refinement_few_classes_are_not_split() -> None:
    X, y = clean_series()
    views = feature_views(X)
    two = y % 2
    plain = propose(views, two, 2, leaving_out("refinement"))
    assert all(p.diversity == 1.0 for p in plain)  # of one other class
    assert any(p.diversity < 1.0 for p in propose(views, two, 2, CONSTANTS))


@pytest.mark.parametrize("stage", ["transfer", "debt"])
def test_without_a_factor_of_the_lesson_it_counts_as_one(stage: str) -> None:
    half = np.zeros((2, 3)), np.zeros((2, 3))
    proposal = replace(make_proposal(0, [0], 0.8), debt=0.25)
    taught = Taught(proposal, np.arange(2), Stamp(*half), 0.5)
    assert taught.weigh(0.5, CONSTANTS).score == pytest.approx(0.1)
    assert taught.weigh(0.0, CONSTANTS).score == pytest.approx(0.8 * CONSTANTS.least_share * 0.25)
    other = {"transfer": 0.25, "debt": 0.5}[stage]
    assert taught.weigh(0.5, leaving_out(stage)).score == pytest.approx(0.8 * other)


def test_without_verify_all_is_believed_and_without_recover_nothing_comes_back() -> None:
    y, sure = np.zeros(4, dtype=int), np.tile([0.9, 0.1], (4, 1))

    def confirmed(*proposals: Proposal, constants: DefenseConstants = CONSTANTS):
        readings = [Reading(sure[:2])] * len(proposals)
        weights = weighed(sure, readings, y, proposals, constants)
        return verify(weights, y, lambda proposal: 0.0, constants)

    group = make_proposal(0, [0, 1], 0.05)
    assert not confirmed(group)
    assert confirmed(group, constants=leaving_out("verify")) == [group]
    faint = make_proposal(1, [2, 3], 0.01)  # believed as well, however sure the other one is
    assert len(confirmed(group, faint, constants=leaving_out("verify"))) == 2
    suspect = np.array([True, True, False, False])
    for probabilities in (sure, 1 - sure):
        result = recover(probabilities, y, suspect, leaving_out("recover"))
        assert not agreeing(probabilities, y, suspect, leaving_out("recover")).any()
        assert result.keep.tolist() == (~suspect).tolist()
        assert not result.relabelled.any()
        assert result.labels.tolist() == y.tolist()


def test_landmarks_are_half_of_few_samples_at_most() -> None:
    assert [CONSTANTS.landmarks(n) for n in (1, 67, 10_000)] == [1, 33, CONSTANTS.n_landmarks]
    views = feature_views(clean_series(n=40)[0])
    assert max(m.shape[1] for m in features_of(views, CONSTANTS).maps.values()) <= 20
