"""What happened in training, one record an epoch."""

from typing import Any


class History(list[dict[str, Any]]):
    """A list of records, one a training epoch, in order.

    Each record has at least ``stage``, ``epoch``, ``loss``, ``accuracy``, ``learning_rate``
    and ``seconds``. ``accuracy`` is against the labels the epoch trained on, measured while
    the weights moved, so it trails the accuracy at the end of the epoch.
    """

    def to_frame(self) -> Any:
        """Return the records as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame.from_records(list(self))
