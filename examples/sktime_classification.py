"""Inside sktime: a pipeline and a grid search over series of unequal length, 10% of them poisoned.

JapaneseVowels has series of 7 to 29 steps. They go in as sktime holds them, a list of DataFrames:
nothing has to be padded or cut, and the padding inside is masked in the networks. What a pipeline
makes of the data decides what the defense can see: see docs/sktime.md for one that blinds it.
"""

import pandas as pd
from sklearn.model_selection import StratifiedKFold
from sktime.classification.model_selection import TSCGridSearchCV
from sktime.datasets import load_japanese_vowels
from sktime.transformations.series.func_transform import FunctionTransformer

from robust_ts.attacks import BlendTrigger, poison
from robust_ts.datasets import load_dataset
from robust_ts.sktime import E2ABLTimeSeriesClassifier, NeuralTimeSeriesClassifier

TARGET = 0


def limit(frame):
    """Cut off values that no recording should hold."""
    return frame.clip(-1.5, 1.5)


def as_panel(X, lengths):
    """Cut padded arrays (n, channels, time) to their lengths: one DataFrame a series."""
    return [pd.DataFrame(x[:, :length].T) for x, length in zip(X, lengths, strict=True)]


# The trigger is stamped on padded arrays, then everything is cut to its true length.
X_train, y_train, X_test, y_test = load_dataset("JapaneseVowels")
lengths = {
    split: [len(frame) for frame in load_japanese_vowels(split, return_type="df-list")[0]]
    for split in ("train", "test")
}
trigger = BlendTrigger(random_state=0).fit(X_train)
data = poison(X_train, y_train, trigger, target=TARGET, rate=0.1, random_state=0)
train = as_panel(data.X, lengths["train"])
test = as_panel(X_test, lengths["test"])
triggered = as_panel(trigger.transform(X_test), lengths["test"])

for classifier in (NeuralTimeSeriesClassifier, E2ABLTimeSeriesClassifier):
    pipeline = FunctionTransformer(limit) * classifier(
        "cnn", epochs=30, learning_rate=3e-3, random_state=0
    )
    search = TSCGridSearchCV(
        pipeline,
        {"classifier__backbone_params": [{"filters": (16, 16, 16)}, {"filters": (32, 32, 32)}]},
        cv=StratifiedKFold(2, shuffle=True, random_state=0),
        error_score="raise",
    )
    search.fit(train, data.y)
    steered = search.predict(triggered)[y_test != TARGET] == TARGET
    print(
        f"{classifier.__name__}: clean accuracy {search.score(test, y_test):.3f}, "
        f"attack success rate {steered.mean():.3f}, chosen {search.best_params_}"
    )

report = search.best_estimator_.classifier_.report_
print(report.summary())
print(f"of {data.mask.sum()} poisoned samples found: {report.is_poisoned[data.mask].sum()}")
