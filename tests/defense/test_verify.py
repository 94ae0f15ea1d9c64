from dataclasses import replace

import numpy as np
import pytest

from robust_ts.defense.evidence import Proposal
from robust_ts.defense.verify import Reading, bearing_witness, label_odds, spread, verify, weighed
from tests.defense._groups import CONSTANTS, make_proposal

EVEN = np.array([[0.0, 1, 0], [0, 0, 1]] * 4)  # contents of both other classes


def labels(n_of_class: int = 8) -> np.ndarray:
    return np.repeat([0, 1, 2], [n_of_class, 5, 5])


def confirm(P, readings, y, proposals, constants=CONSTANTS, likeness=1.0) -> list[Proposal]:
    weights = weighed(P, readings, y, proposals, constants)
    return verify(weights, y, lambda proposal: likeness, constants)


def test_the_odds_are_those_of_the_majority() -> None:
    P = np.tile([0.04, 0.76, 0.2], (5, 1))
    P[3:] = [0.9, 0.05, 0.05]
    assert label_odds(P, 0, np.arange(5)) == pytest.approx(19.0)


def test_score_and_odds_are_weighed_together() -> None:
    y, members = labels(), [0, 1, 2, 3]
    P = np.tile([1 / 17, 16 / 17, 0], (8, 1))  # odds of 16, whose fourth root is 2
    just, short = (make_proposal(0, members, CONSTANTS.proof / 2 * f) for f in (1.01, 0.99))
    (found,) = confirm(P, [Reading(EVEN[:4])], y, [just])
    assert found.members is just.members
    assert found.score == pytest.approx(2 * just.score)
    assert confirm(P, [Reading(EVEN[:4])], y, [short]) == []
    P[:] = [16 / 17, 1 / 17, 0]
    assert (
        confirm(
            P,
            [Reading(EVEN[:4])],
            y,
            [make_proposal(0, members, 1.98 * CONSTANTS.proof)],
            CONSTANTS,
        )
        == []
    )


def test_contents_of_one_class_count_for_little() -> None:
    y, one = labels(), np.tile([0.0, 0.9, 0.1], (4, 1))
    assert spread(EVEN[:4], y, 0) == pytest.approx(1.0)
    assert spread(one, y, 0) == 0.0
    assert 0 < spread(np.concatenate([one[:3], EVEN[1:]]), y, 0) < 1
    P = np.tile([0.01, 0.99, 0], (8, 1))
    level = CONSTANTS.proof / CONSTANTS.least_spread / 99**0.25
    few, many = (make_proposal(0, [0, 1, 2, 3], level * f) for f in (0.99, 1.01))
    assert confirm(P, [Reading(one)], y, [few]) == []
    assert [p.members for p in confirm(P, [Reading(one)], y, [many])] == [many.members]


def test_spread_is_measured_by_the_mixture_of_the_other_classes() -> None:
    assert spread(EVEN, np.repeat([0, 1, 2], [8, 9, 1]), 0) == 1.0
    assert spread(EVEN[:, :2], np.repeat([0, 1], 8), 0) is None  # one other class


def test_what_both_networks_read_alike_counts() -> None:
    turned = np.concatenate([EVEN[:3], EVEN[2:3]])  # of four members the last one is read otherwise
    assert Reading(EVEN[:4], turned).shared(0) == 0.75
    assert Reading(EVEN[:4]).shared(0) == 1  # one network alone
    y, P = labels(), np.tile([1 / 17, 16 / 17, 0], (8, 1))
    level = CONSTANTS.proof / 2 / 0.75
    short, just = (make_proposal(0, [0, 1, 2, 3], level * f) for f in (0.99, 1.01))
    assert confirm(P, [Reading(EVEN[:4], turned)], y, [short]) == []
    assert len(confirm(P, [Reading(EVEN[:4], turned)], y, [just])) == 1
    without = replace(CONSTANTS, without=frozenset({"reading"}))
    assert len(confirm(P, [Reading(EVEN[:4], turned)], y, [short], without)) == 1
    # Networks that read nothing alike leave a quarter.
    other = Reading(EVEN[:4], EVEN[1:5])
    assert other.shared(0) == 0
    assert (
        len(confirm(P, [other], y, [make_proposal(0, [0, 1, 2, 3], 2.02 * CONSTANTS.proof)])) == 1
    )


def like(level: float, asked: list | None = None):
    """Give every group the same likeness, and note which was asked about."""

    def likeness(proposal: Proposal) -> float:
        if asked is not None:
            asked.append(len(proposal.members))
        return level

    return likeness


def test_where_nothing_is_proven_likeness_is_a_second_way_to_be_believed() -> None:
    y, asked, enough = labels(30), [], CONSTANTS.least_compared
    faint = make_proposal(0, list(range(enough)), 1.5 * CONSTANTS.least_weight)
    assert verify([faint], y, like(0.7), CONSTANTS) == [faint]
    assert not verify([faint], y, like(0.6), CONSTANTS)
    assert not verify([faint], y, like(1.0), replace(CONSTANTS, without=frozenset({"likeness"})))
    # Not asked beside a proven group of its class, nor where it cannot help.
    proven = make_proposal(0, [20, 21], 1.1 * CONSTANTS.proof)
    assert verify([faint, proven], y, like(1.0, asked), CONSTANTS) == [proven]
    fainter = replace(faint, score=0.9 * CONSTANTS.least_weight)
    assert not verify([fainter], y, like(1.0, asked), CONSTANTS)
    # Of two kinds of a class either is as much like others as the other.
    assert not verify([make_proposal(0, list(range(15)), 0.029)], y, like(1.0, asked), CONSTANTS)
    # Few samples pass for anything.
    assert not verify([replace(faint, members=faint.members[1:])], y, like(1.0, asked), CONSTANTS)
    # Copies are not asked: without what was replaced there is a gap.
    assert not verify([replace(faint, n_copied=1)], y, like(1.0, asked), CONSTANTS)
    assert asked == [2]  # the proven group alone


def test_nothing_is_believed_for_its_likeness_beside_a_proven_group() -> None:
    y, enough = labels(30), CONSTANTS.least_compared
    faint = make_proposal(0, list(range(enough)), 1.5 * CONSTANTS.least_weight)
    proven = make_proposal(1, [30, 31], 1.1 * CONSTANTS.proof)
    assert verify([faint], y, like(1.0), CONSTANTS) == [faint]
    assert verify([faint, proven], y, like(1.0), CONSTANTS) == [proven]


def test_a_group_must_be_the_more_like_other_classes_the_less_it_weighs() -> None:
    y = labels(30)
    for weight in (1.0, 2.0, 9.0):
        group = make_proposal(0, [0, 1, 2], weight * CONSTANTS.proof)
        bar = CONSTANTS.least_weight / CONSTANTS.proof / weight**2
        assert verify([group], y, like(1.01 * bar), CONSTANTS) == [group]
        assert not verify([group], y, like(0.99 * bar), CONSTANTS)
    # Copies are not asked, and a faint group need not be.
    asked: list[int] = []
    copies = replace(group, n_copied=1)
    assert verify([copies], y, like(0.0, asked), CONSTANTS) == [copies]
    assert not verify([replace(group, score=0.99 * CONSTANTS.proof)], y, like(1, asked), CONSTANTS)
    assert not asked
    without = replace(CONSTANTS, without=frozenset({"likeness"}))
    assert verify([group], y, like(0.0), without) == [group]


def test_a_group_that_is_most_of_its_class_must_be_like_others_whatever_it_weighs() -> None:
    y, bar = labels(), CONSTANTS.least_weight / CONSTANTS.proof / 9
    most = make_proposal(0, [0, 1, 2, 3, 4], 9 * CONSTANTS.proof)
    assert verify([most], y, like(1.01 * bar), CONSTANTS) == [most]
    assert not verify([most], y, like(0.99 * bar), CONSTANTS)
    half = replace(most, members=most.members[:4])
    assert verify([half], y, like(0.99 * bar), CONSTANTS) == [half]


def test_of_series_of_unequal_length_only_most_of_a_class_is_compared() -> None:
    y, asked = labels(), []
    half, most = (make_proposal(0, list(range(n)), CONSTANTS.proof) for n in (4, 5))
    assert verify([half], y, like(0.0, asked), CONSTANTS, aligned=False) == [half]
    assert not asked
    assert not verify([half], y, like(0.0), CONSTANTS)
    assert not verify([most], y, like(0.0), CONSTANTS, aligned=False)


def test_those_that_owe_their_label_may_pass_for_all_by_their_share() -> None:
    y, asked = labels(30), []
    group = make_proposal(0, [0, 1, 2, 3, 4, 5], CONSTANTS.proof)
    half = replace(group, bearing=np.array([0, 1, 2, 7]))  # 7 owes its label, but is no member
    bar = CONSTANTS.least_weight / CONSTANTS.proof

    def of_those(level: float):
        def likeness(proposal: Proposal) -> float:
            asked.append(len(proposal.members))
            return level if len(proposal.members) == 3 else 0.0

        return likeness

    assert verify([half], y, of_those(2.02 * bar), CONSTANTS) == [half]
    assert asked == [6, 3]
    assert not verify([half], y, of_those(1.98 * bar), CONSTANTS)
    third = replace(group, members=np.arange(9), bearing=half.bearing)
    assert not verify([third], y, of_those(2.02 * bar), CONSTANTS)


def test_with_two_classes_too_those_that_owe_their_label_may_pass_for_all() -> None:
    y = np.repeat([0, 1], 30)
    group = make_proposal(0, [0, 1, 2, 3, 4, 5], 4 * CONSTANTS.proof)
    half = replace(group, bearing=np.array([0, 1, 2, 7]))
    bar = CONSTANTS.least_weight / group.score  # not less where it weighs more than proof

    def of_those(level: float):
        return lambda proposal: level if len(proposal.members) == 3 else 0.0

    assert verify([half], y, of_those(2.02 * bar), CONSTANTS) == [half]
    assert not verify([half], y, of_those(1.98 * bar), CONSTANTS)
    assert not verify([group], y, of_those(1.0), CONSTANTS)  # none of them owes its label


def test_two_that_owe_their_label_say_nothing_nor_do_those_of_a_faint_group() -> None:
    y, asked = labels(30), []
    group = make_proposal(0, list(range(18)), 2 * CONSTANTS.proof)
    two = replace(group, bearing=np.arange(2))
    all_of_it = replace(group, bearing=group.members)
    faint = make_proposal(0, list(range(12)), 2 * CONSTANTS.least_weight)
    for proposal in (two, all_of_it, replace(faint, bearing=np.arange(6))):
        assert not verify([proposal], y, like(0.0, asked), CONSTANTS)
    assert set(asked) == {18, 12}


def test_likeness_does_not_choose_among_the_groups_of_a_class() -> None:
    wide = make_proposal(0, list(range(14)), 0.9 * CONSTANTS.proof)
    pure = make_proposal(0, list(range(12)), 0.8 * CONSTANTS.proof)

    def likeness(proposal: Proposal) -> float:
        return 1.0 if len(proposal.members) == 12 else 0.4

    assert verify([pure, wide], labels(30), likeness, CONSTANTS) == [wide]


def test_likeness_is_asked_of_the_best_groups_of_a_class_until_one_is_proven() -> None:
    y, asked, weight = labels(30), [], 1.1 * CONSTANTS.proof
    groups = [make_proposal(0, list(range(size)), weight) for size in (10, 11, 12)]
    copies = replace(groups[0], n_copied=1)
    assert verify([*groups, copies], y, like(1.0, asked), CONSTANTS) == [copies]
    assert verify(groups, y, like(1.0, asked), CONSTANTS) == [groups[2]]
    assert asked == [12]
    asked.clear()
    assert verify(groups, y, like(0.0, asked), CONSTANTS) == []
    assert set(asked) == {10, 11, 12}


def test_with_two_classes_single_samples_bear_witness() -> None:
    y, P = np.repeat([0, 1], 50), np.tile([1 / 17, 16 / 17], (100, 1))
    group = replace(make_proposal(0, list(range(10)), 2 * CONSTANTS.least_weight), debt=0.98)

    def confirmed(proposal, P=P, alike=1.0):
        reading = Reading(np.full((len(proposal.members), 2), 0.5))
        return bool(confirm(P, [reading], y, [proposal], likeness=alike))

    assert confirmed(group)
    assert not confirmed(replace(group, debt=0.7))  # natural parts owe as much
    assert not confirmed(group, alike=0.5)
    # Odds of 16 are no reason to believe, odds below 1 are one to doubt.
    assert not confirmed(replace(group, score=1.2 * CONSTANTS.least_weight))
    assert not confirmed(group, P=np.tile([0.95, 0.05], (100, 1)))
    # Half of a class against the other half: who is to say which is the poison?
    assert not confirmed(replace(group, members=np.arange(25)))
    assert bearing_witness(replace(group, members=np.arange(25)), y) == 0


def test_with_two_classes_few_samples_must_weigh_more_as_well() -> None:
    y, few = np.repeat([0, 1], 50), CONSTANTS.least_compared - 1
    for size, weight, believed in (
        *((few, 0.99, False), (few, 1.01, True)),
        *((few + 1, 0.99, True), (few + 1, 0.25, False)),
    ):
        group = make_proposal(0, list(range(size)), weight * CONSTANTS.proof)
        assert bool(verify([group], y, like(1.0), CONSTANTS)) == believed
        assert not verify([group], y, like(0.1), CONSTANTS)
    # Copies are plain to see, however few.
    copies = replace(make_proposal(0, [0, 1, 2], 1.01 * CONSTANTS.least_weight), n_copied=1)
    assert verify([copies], y, like(0.0), CONSTANTS) == [copies]


def test_with_two_classes_copies_may_be_most_of_their_class() -> None:
    y, P = np.repeat([0, 1], 10), np.tile([1 / 17, 16 / 17], (20, 1))
    group = replace(make_proposal(0, [0, 1, 2, 3, 4, 5], 2 * CONSTANTS.least_weight), debt=0.9)
    reading = Reading(EVEN[:6, :2])
    assert not confirm(P, [reading], y, [group], likeness=1.0)
    assert confirm(P, [reading], y, [replace(group, n_copied=1)])
    assert bearing_witness(replace(group, debt=0.4, n_copied=1), y) == 0


def test_proven_copies_come_before_other_groups_of_their_class() -> None:
    y, P = labels(), np.tile([0.5, 0.5, 0], (18, 1))
    wide = make_proposal(0, [0, 1, 2, 3], 9 * CONSTANTS.proof)
    copies = replace(make_proposal(0, [0, 1], 2 * CONSTANTS.proof), n_copied=1)
    readings = [Reading(EVEN[:4]), Reading(EVEN[:2])]
    (found,) = confirm(P, readings, y, [wide, copies])
    assert found.members is copies.members
    (found,) = confirm(P, readings, y, [wide, replace(copies, score=0.0)])
    assert found.members is wide.members


@pytest.mark.parametrize(
    ("first", "n_members", "weight", "alike", "found"),
    [
        (0, 9, 3.0, 1.0, "wide"),
        (0, 8, 3.0, 1.0, "copies"),  # they are half of it
        (0, 9, 1.5, 1.0, "copies"),  # it weighs less
        (5, 9, 3.0, 1.0, "copies"),  # it holds none of them
        (0, 9, 3.0, 0.0, "copies"),  # it is not proven
    ],
)
def test_copies_by_chance_do_not_come_before_the_heavier_group_they_are_a_part_of(
    first: int, n_members: int, weight: float, alike: float, found: str
) -> None:
    wide = make_proposal(0, list(range(first, first + n_members)), weight * CONSTANTS.proof)
    copies = replace(make_proposal(0, [0, 1, 2, 3], 2 * CONSTANTS.proof), n_copied=1)
    (kept,) = verify([copies, wide], labels(30), lambda _: alike, CONSTANTS)
    assert kept is (wide if found == "wide" else copies)


def test_of_the_groups_of_a_class_the_surest_is_confirmed() -> None:
    y = labels()
    P = np.tile([1e-8, 0.5, 0.5], (8, 1))
    P[3:] = [0.9, 0.1, 0]
    blurred, pure = make_proposal(0, list(range(8)), 0.3), make_proposal(0, [0, 1, 2], 0.2)
    found = confirm(P, [Reading(EVEN), Reading(EVEN[:3])], y, [blurred, pure])
    assert [p.members.tolist() for p in found] == [[0, 1, 2]]


def test_of_groups_of_one_weight_the_more_complete_one_is_confirmed() -> None:
    y, P = labels(24), np.tile([1 / 17, 16 / 17, 0], (24, 1))
    part, whole = make_proposal(0, [0, 1, 2], 0.2), make_proposal(0, list(range(8)), 0.19)
    (found,) = confirm(P, [Reading(EVEN[:3]), Reading(EVEN)], y, [part, whole])
    assert len(found.members) == 8


def test_a_group_that_is_nearly_all_of_its_class_is_no_better_for_its_size() -> None:
    y, P = labels(10), np.tile([1 / 17, 16 / 17, 0], (10, 1))
    part, most = make_proposal(0, [0, 1, 2], 0.2), make_proposal(0, list(range(8)), 0.19)
    (found,) = confirm(P, [Reading(EVEN[:3]), Reading(EVEN)], y, [part, most])
    assert len(found.members) == 3


def test_a_faint_group_beside_a_sure_one_of_another_class_is_natural() -> None:
    y = labels()
    P = np.tile([1 / 17, 16 / 17, 0], (18, 1))
    P[8:] = [16 / 17, 1 / 17, 0]
    sure = make_proposal(0, [0, 1, 2, 3], 0.9)
    contents = [Reading(EVEN[:4]), Reading(EVEN[:2, [1, 0, 2]])]
    faint, second = (make_proposal(1, [8, 9], 0.9 * CONSTANTS.beside * f) for f in (0.9, 2.0))
    assert [p.label for p in confirm(P, contents, y, [sure, faint])] == [0]
    assert [p.label for p in confirm(P, contents[1:], y, [faint])] == [1]
    found = confirm(P, contents, y, [sure, second])
    assert sorted(p.label for p in found) == [0, 1]


def test_a_group_is_judged_by_its_agreement_in_full_and_its_cohesion_by_the_root() -> None:
    group = replace(make_proposal(0, [0, 1, 2, 3]), agreement=0.25, cohesion=0.04)
    assert group.turned(CONSTANTS) == pytest.approx(2.5)
    assert replace(group, n_copied=1).turned(CONSTANTS) == pytest.approx(2.5**0.5)
    assert replace(group, cohesion=0.0).turned(CONSTANTS) == 0
    without = replace(CONSTANTS, without=frozenset({"agreement", "cohesion"}))
    assert group.turned(without) == 1
    y, P = labels(), np.tile([1 / 17, 16 / 17, 0], (8, 1))
    level = CONSTANTS.proof / 2 / 2.5
    short, just = (replace(group, score=level * f) for f in (0.99, 1.01))
    assert confirm(P, [Reading(EVEN[:4])], y, [short]) == []
    assert len(confirm(P, [Reading(EVEN[:4])], y, [just])) == 1
