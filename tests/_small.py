"""A cheap classifier for the tests of the wrappers."""


def small(cls, **params):
    """Make a classifier of any of the libraries that learns ``make_waves``."""
    given = {
        "backbone_params": {"filters": (8, 8), "kernels": (5, 3)},
        "epochs": 12,
        "learning_rate": 1e-2,
        "random_state": 0,
    }
    return cls("cnn", **{**given, **params})
