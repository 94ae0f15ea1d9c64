"""Log the groups that the method judges, with all it knows of them, and stop each fit there.

python docs/research/judged_groups.py check --seeds 2 --rates 0.1 --out groups.jsonl

One line a run: the run, and for each judged group its class, size, weight, evidence, how many of
its members are poisoned (which the method does not see), how many more samples owe their label to
its pattern, so that they would join it, and its likeness to samples of other classes, of all
members and of those that owe their label to its pattern. Runs that are in the file are not done
again. The research logs rest on such files.
"""

import argparse
import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from tqdm.auto import tqdm

from robust_ts.classifiers import e2abl
from robust_ts.evaluation.benchmark import Run, make_classifier
from robust_ts.evaluation.grids import SERIES_GRIDS


class Judged(Exception):
    """Ends a fit when its groups are known."""


def judged(run: Run) -> list[dict[str, Any]]:
    """Fit until the groups are judged and describe them; none where nothing alarms."""
    experiment = run.experiment()
    poisoned = experiment.poisoned.mask
    groups: list[dict[str, Any]] = []

    def describe(
        weights: Any, labels: np.ndarray, likeness: Any, constants: Any, **about: Any
    ) -> Any:
        chosen = e2abl_verify(weights, labels, likeness, constants, **about)
        for p in weights:
            owing = np.intersect1d(p.members, p.bearing)
            asked = {"likeness": p.members, "likeness_owing": owing}
            heavy = p.score >= constants.least_weight and not p.copied
            groups.append(
                {
                    "label": int(p.label),
                    "size": len(p.members),
                    "of_class": int((labels == p.label).sum()),
                    "poisoned": int(poisoned[p.members].sum()),
                    "owing": len(owing),
                    "owing_poisoned": int(poisoned[owing].sum()),
                    "joining": len(p.joining),
                    "joining_poisoned": int(poisoned[p.joining].sum()),
                    "weight": p.score,
                    "contradiction": p.contradiction,
                    "agreement": p.agreement,
                    "debt": p.debt,
                    "copied": p.copied,
                    "confirmed": any(p is c for c in chosen),
                    **{
                        name: likeness(e2abl.replace(p, members=rows))
                        for name, rows in asked.items()
                        if heavy and len(rows) > 1
                    },
                }
            )
        raise Judged

    e2abl_verify = e2abl.verify
    classifier = make_classifier(run.defense, run.backbone, run.seed, run.settings)
    with patch.object(e2abl, "verify", describe), contextlib.suppress(Judged):
        classifier.fit(experiment.poisoned.X, experiment.poisoned.y)
    return groups


def main() -> None:
    """Do the runs of a grid that are not in the file yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("grid", choices=sorted(SERIES_GRIDS))
    parser.add_argument("--out", type=Path, required=True)
    for name, kind in (("datasets", str), ("triggers", str), ("rates", float), ("seeds", int)):
        parser.add_argument(f"--{name}", type=kind, nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    done = set()
    if arguments.out.exists():
        done = {json.dumps(json.loads(line)["run"]) for line in arguments.out.open()}

    def wanted(run: Run) -> bool:
        for field in ("datasets", "triggers", "rates", "seeds"):
            chosen = getattr(arguments, field)
            if chosen and getattr(run, field.removesuffix("s")) not in chosen:
                return False
        return run.defense == "e2abl" and json.dumps(asdict(run)) not in done

    runs = [run for run in SERIES_GRIDS[arguments.grid].runs() if wanted(run)]
    with arguments.out.open("a") as file:
        for run in tqdm(runs):
            print(json.dumps({"run": asdict(run), "groups": judged(run)}), file=file, flush=True)


if __name__ == "__main__":
    main()
