"""Every number of the method, in one place, each with its meaning and its reason."""

from dataclasses import dataclass

#: Factors of the score of a group.
EVIDENCE = ("contradiction", "diversity", "agreement", "mixture", "cohesion")

#: Families of views.
VIEWS = ("raw", "smooth", "local", "global", "halves")

#: All that can be left out of the method, to see what it is worth.
STAGES = (
    *EVIDENCE,
    *("weights", *VIEWS, "refinement"),
    *("copies", "common", "embedding", "redraws", "transfer", "debt", "blends"),
    *("reading", "likeness", "verify", "recover"),
)


@dataclass(frozen=True)
class DefenseConstants:
    """Constants of the defense.

    Parameters
    ----------
    trap_share : float, default=0.06
        Epochs of the trap over epochs of the fit. The trap only fills the ledger, so it may cost
        about as much as the fit may be slowed down by it.
    scout_filters, scout_image_filters : tuple of int, default=(32, 64, 32) and (16, 32, 32)
        Filters of the scout, an FCN for series and an ``image_cnn`` for images: an epoch takes 0.06
        to 0.07 of one of the usual InceptionTime. All rules were set with these networks.
    scout_rate : float, default=0.003
        Peak learning rate of the scout, with which all rules were set.
    verify_share : float, default=0.4
        Epochs of the scout that never saw the suspects, over those that the library chooses by
        itself for the data, which the scout that saw all is trained for; both at most those of the
        fit. And epochs of the main network, over those of the fit, before it reads labels. Late
        enough to classify well, early enough to cost little.
    n_landmarks : int, default=128
        Most landmarks of the kernel map; half of the samples where that is fewer, for features that
        fit every sample make all groups look alien. Bounds every solve; with 64 the group that is
        chosen depends on which samples are drawn as landmarks.
    ridge : tuple of float, default=(0.01, 0.1)
        Ridge strengths relative to ``n_samples / 10``. The weak one follows the classes, the strong
        one cannot learn a trigger from the group itself.
    max_steps : int, default=5
        Steps of the leave-group-out fixed point; most settle in three.
    min_group : int, default=3
        Smallest group and smallest rest: two samples are no population.
    max_share : float, default=0.25
        Largest group as a share of all samples. Whoever controls more of the data than this is
        beyond what can be told from a natural division of a class.
    same_group : float, default=0.9
        Groups that share more than this of their members (Jaccard) are looked at once.
    least_classes : int, default=4
        Other classes that poison must be able to spread over. Where there are fewer, each is split
        into clusters.
    projection : int, default=256
        Dimensions in which the cohesion of a group is tested; bounds its cost.
    sample_cap : int, default=1500
        Reference samples a test looks at; bounds its cost, more changes nothing.
    nats : float, default=20.0
        Log likelihood ratio of a member, mixture of the other classes against one class, that
        counts half: there, one account is e**20 times as likely as the other.
    alarm : float, default=0.01
        Least weight of a group to be held out: its score, times the share of other samples that its
        pattern steers, times its debt. Bounds the cost, and what the network that judges has to do
        without. Where no group reaches it, the heaviest alone is held out from ``least_weight`` on.
    least_share : float, default=0.25
        What the share of steered samples, and the share that both networks read alike, count at
        least. Not every trigger can be put on other samples at fixed places, such as the last steps
        of series of unequal length, or a warp.
    least_spread : float, default=0.1
        What the spread of contents counts at least: a network that has trained for a few steps only
        calls everything one class. And what a pattern of many classes counts at least that no label
        is owed to.
    least_divisor : float, default=0.05
        What agreement and contradiction count at least where something is divided by them: so
        little says nothing.
    proof : float, default=0.03
        Least weight of a group to be confirmed: that weight, with what is left of the share in a
        network that never saw the group, times the spread of its contents, the share of members
        that both networks read alike, and the fourth root of that network's odds against its label.
        Natural groups of unpoisoned data reached just that, and were not alike.
    least_weight : float, default=0.008
        The same times the likeness of what is left of the group to samples of other classes, where
        that counts: with two classes, where contents cannot spread; with more where no group
        reaches ``proof``, and less by as much as a group weighs more than ``proof``. Natural
        groups of unpoisoned data reached half of it, and nine tenths beside poison in 50 series
        (GunPoint): few samples hide what kind they are.
    least_compared : int, default=10
        Fewest members of a group that is believed, with more than two classes, for its likeness
        alone; with two, of one that weighs less than ``proof``, or that was drawn anew again and
        again. Fewer samples hide what kind they are (natural groups of 7 of 60, 9 of 45 and 6 of
        107 passed).
    least_common : float, default=0.15
        Least weight of a group whose members are of half of all classes or more: how well one
        pattern tells it from the rest, times how far members of a class come from one other class,
        times the root of how far it owes its labels to the pattern, times the square of what a
        network that never saw it contradicts. Natural groups reached 0.13.
    most_compared : int, default=64
        Most members of a group that are compared with samples of other classes: bounds the cost.
    beside : float, default=0.1
        Least weight of a group that is held out, and of one that is confirmed, over that of the
        surest one of another class. Two attackers of about the same strength are both found;
        natural groups beside poison are left.
    recover_probability : float, default=0.5
        Least probability of the recovered label: likelier than all others together. At 0.8 fewer
        came back, and each one left out costs clean accuracy.
    recover_every : int, default=3
        Epochs between two recoveries of labels.
    doubt_of_group, doubt_of_network : float, default=0.4 and 0.1
        Suspicion of a sample in a group of score 1 that was not confirmed, and of one that is
        surely of another class to the final network: less than one half, for neither is a verdict.
    block : int, default=64000
        Most samples among which groups are sought at once: bounds memory. All sets on which the
        method was measured are smaller.
    low_loss_share : float, default=0.05
        Share of all samples that the low-loss isolation proposes. Used for comparison only.
    without : frozenset of str, default=frozenset()
        What is left out, for the ablation: names among `STAGES`. A factor of the evidence, or of
        what the networks say of a group (``"transfer"``, ``"debt"``, ``"reading"``), counts as 1;
        without ``"likeness"`` nothing is compared, and all groups have to reach ``proof``; without
        ``"weights"`` all views weigh the same; without ``"refinement"`` few classes are not split;
        without ``"copies"`` equal values are not looked for; without ``"common"`` one pattern in
        many classes is not looked for; without ``"embedding"`` the network
        that was trained on everything adds no groups; without ``"redraws"`` and ``"blends"``, with
        two classes, groups are not drawn anew by what owes its label until that rests, and content
        is not taken for blended; without ``"verify"`` what is held out is believed to be poison;
        without ``"recover"`` it stays out for good.

    Raises
    ------
    ValueError
        If ``without`` names something unknown, or every view from which groups are started.
    """

    trap_share: float = 0.06
    scout_filters: tuple[int, ...] = (32, 64, 32)
    scout_image_filters: tuple[int, ...] = (16, 32, 32)
    scout_rate: float = 3e-3
    verify_share: float = 0.4
    n_landmarks: int = 128
    ridge: tuple[float, ...] = (1e-2, 1e-1)
    max_steps: int = 5
    min_group: int = 3
    max_share: float = 0.25
    same_group: float = 0.9
    least_classes: int = 4
    projection: int = 256
    sample_cap: int = 1500
    nats: float = 20.0
    alarm: float = 0.01
    least_weight: float = 0.008
    least_share: float = 0.25
    least_spread: float = 0.1
    least_divisor: float = 0.05
    proof: float = 0.03
    least_compared: int = 10
    least_common: float = 0.15
    most_compared: int = 64
    beside: float = 0.1
    recover_probability: float = 0.5
    recover_every: int = 3
    doubt_of_group: float = 0.4
    doubt_of_network: float = 0.1
    block: int = 64_000
    low_loss_share: float = 0.05
    without: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        unknown = sorted(self.without - set(STAGES))
        if unknown:
            raise ValueError(f"Unknown stages {unknown} in without; known: {', '.join(STAGES)}.")
        if self.without >= {"raw", "local", "global"}:
            raise ValueError("without must leave one of the views raw, local and global.")

    def landmarks(self, n_samples: int) -> int:
        """Count the landmarks for so many samples."""
        return max(1, min(self.n_landmarks, n_samples // 2))

    def factor(self, name: str, value: float) -> float:
        """Give a factor of the evidence, or 1 where it is left out."""
        return 1.0 if name in self.without else value

    def sees(self, view: str) -> bool:
        """Tell whether a view, such as ``"raw"`` or ``"raw-first"``, is used."""
        family, _, half = view.partition("-")
        return family not in self.without and not (half and "halves" in self.without)
