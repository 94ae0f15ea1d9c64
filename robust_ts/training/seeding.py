"""One seed in, reproducible and independent streams out; the global state is left alone."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state


def derive_seeds(random_state: Any, n: int) -> list[int]:
    """Draw ``n`` independent seeds from a scikit-learn style ``random_state``."""
    root = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    return [int(s) for s in np.random.SeedSequence(root).generate_state(n)]


@contextlib.contextmanager
def isolated_rng(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """Seed torch's global state for this block and give a CPU generator; restore on exit."""
    # torch.manual_seed would reseed every card of the machine, also those that nobody restores.
    kind = device.type if device.type in ("cuda", "mps") else None
    module: Any = getattr(torch, kind) if kind else None
    place = (device,) if kind == "cuda" else ()
    before = module.get_rng_state(*place) if kind else None
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            if kind:
                with torch.cuda.device(device) if kind == "cuda" else contextlib.nullcontext():
                    module.manual_seed(seed)
            yield torch.Generator().manual_seed(seed)
        finally:
            if kind:
                module.set_rng_state(before, *place)
