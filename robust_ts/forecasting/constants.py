"""Every number of the forecaster's defense, in one place, each with its meaning and reason."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class StretchConstants:
    """Constants of the search for planted stretches.

    Parameters
    ----------
    motif : int, default=8
        Steps of the motif that is searched for. Shorter ones recur by chance, longer ones miss
        short plants; a stretch is widened afterwards.
    order : int, default=6
        Lags of the autoregression that says what was foreseen.
    robust_steps : int, default=10
        Steps of its reweighting; it settles in fewer.
    clip : float, default=8.0
        Largest step in usual units: one jump alone is no shape.
    abrupt : float, default=0.75
        Least mean squared surprise of a window that is searched, usual steps having about 1.
    max_windows : int, default=3000
        Windows that are compared, the most abrupt ones; bounds the cost.
    seeds : int, default=25
        Windows around which a motif is counted.
    motifs : int, default=3
        Motifs that are looked at in each view and at each level: the most frequent one may be
        natural.
    least_steps : float, default=2.5
        Steps over which a motif must be spread: in a series that mostly stands still (a pegged
        currency) all jumps look alike.
    likeness : tuple of float, default=(0.999, 0.995, 0.98)
        Correlations that count as alike: exact copies, and copies on top of the series' own
        course. From 0.95 on natural slopes of smooth series count as well.
    exact_motif : int, default=6
        Steps of a motif that is searched for exact copies only: the changes of a target of seven
        steps whose trigger differs from place to place.
    exact_within : float, default=0.01
        Largest difference of the changes of exact copies, in usual changes of the track.
    few_ways : int, default=4
        Different changes that may not make up half of the moves of a track: a switch and small
        counts repeat themselves, and are not searched.
    margin : int, default=4
        Steps right before a motif that may belong to the stretch.
    joint_likeness : tuple of float, default=(0.99, 0.95, 0.9, 0.8)
        The same for all tracks of an instance together: the more values, the rarer chance.
    min_places : int, default=4
        Fewest moments of a motif: three coincidences happen.
    alarm : float, default=0.66
        Least score worth verifying; recurring three times as often as by chance gives 0.67
        before diversity and cohesion.
    max_groups : int, default=12
        Groups that are sought at most: a trigger of its own for each of several variables.
    max_reach : int, default=16
        Steps on each side of a motif to which its stretch may reach.
    alike : float, default=0.1
        Changes are the same within this part of the track's usual change; a track that never
        changes by more stands still.
    near_one : float, default=0.5
        A factor of a shape is nearer to one than to none or two within this.
    rounds : int, default=3
        Times that extent and further moments of a group are sought, each with what was found.
    tie : float, default=0.05
        Weight that ties a bridge to its interpolation, next to that of a surprise.
    verify_share : float, default=0.4
        Share of the epochs after which the network trained without the stretches judges them.
    unforeseen : float, default=0.35
        A stretch is contradicted where the network's error at it is beyond this quantile of its
        errors elsewhere.
    contradicted_share : float, default=0.5
        Share of a group's stretches that the network must contradict: most of them.
    """

    motif: int = 8
    order: int = 6
    robust_steps: int = 10
    clip: float = 8.0
    abrupt: float = 0.75
    max_windows: int = 3000
    seeds: int = 25
    motifs: int = 3
    least_steps: float = 2.5
    likeness: tuple[float, ...] = (0.999, 0.995, 0.98)
    exact_motif: int = 6
    exact_within: float = 0.01
    few_ways: int = 4
    margin: int = 4
    joint_likeness: tuple[float, ...] = (0.99, 0.95, 0.9, 0.8)
    min_places: int = 4
    alarm: float = 0.66
    max_groups: int = 12
    max_reach: int = 16
    alike: float = 0.1
    near_one: float = 0.5
    rounds: int = 3
    tie: float = 0.05
    verify_share: float = 0.4
    unforeseen: float = 0.35
    contradicted_share: float = 0.5

    def exact(self) -> "StretchConstants":
        """Return the constants of the search for exact copies."""
        return replace(self, motif=self.exact_motif)
