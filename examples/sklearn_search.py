"""Inside scikit-learn: a pipeline, a grid search, and a scorer for attacks.

The second scorer counts how often a trigger steers the model. In cross-validation the validation
folds come from the same training data and are poisoned too: a model that does not obey the trigger
is counted wrong on a tenth of them, so compare accuracies with each other, not with 1.
"""

from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from robust_ts import E2ABLClassifier
from robust_ts.attacks import NoiseTrigger, poison
from robust_ts.datasets import load_dataset
from robust_ts.evaluation import make_attack_success_rate_scorer


def center(X):
    """Move every channel of every series to mean zero."""
    return X - X.mean(axis=-1, keepdims=True)


X_train, y_train, X_test, y_test = load_dataset("JapaneseVowels")
trigger = NoiseTrigger(random_state=0).fit(X_train)
data = poison(X_train, y_train, trigger, target=0, rate=0.1, random_state=0)

pipeline = Pipeline(
    [
        ("center", FunctionTransformer(center)),
        ("classify", E2ABLClassifier("cnn", epochs=40, learning_rate=3e-3, random_state=0)),
    ]
)
search = GridSearchCV(
    pipeline,
    {"classify__backbone_params": [{"filters": (16, 16, 16)}, {"filters": (32, 32, 32)}]},
    scoring={"accuracy": "accuracy", "robust": make_attack_success_rate_scorer(trigger, target=0)},
    refit="accuracy",
    cv=StratifiedKFold(3, shuffle=True, random_state=0),
)
search.fit(data.X, data.y)
for i, settings in enumerate(search.cv_results_["params"]):
    print(
        settings,
        f"accuracy {search.cv_results_['mean_test_accuracy'][i]:.3f}",
        f"attack success {-search.cv_results_['mean_test_robust'][i]:.3f}",
    )
print("test accuracy", round(search.score(X_test, y_test), 3))
