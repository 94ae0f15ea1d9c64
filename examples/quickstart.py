"""Train on poisoned series and see which samples were poisoned.

JapaneseVowels is real and bundled in sktime. 10% of the training series get a trigger and the
label of the attacker; the classifier is told nothing about it.
"""

from robust_ts import E2ABLClassifier, NeuralClassifier
from robust_ts.attacks import PatchTrigger, poison
from robust_ts.datasets import load_dataset
from robust_ts.evaluation import evaluate_backdoor

X_train, y_train, X_test, y_test = load_dataset("JapaneseVowels")
trigger = PatchTrigger(random_state=0).fit(X_train)
data = poison(X_train, y_train, trigger, target=0, rate=0.1, random_state=0)

# Smaller and shorter than the defaults, so that the example is quick.
settings = {"backbone": "cnn", "backbone_params": {"filters": (64, 64, 64)}, "random_state": 0}
for classifier in (NeuralClassifier(**settings), E2ABLClassifier(**settings)):
    classifier.fit(data.X, data.y)
    rates = evaluate_backdoor(classifier, X_test, y_test, trigger, target=0)
    print(type(classifier).__name__, {name: round(value, 3) for name, value in rates.items()})

print(classifier.report_.summary())
print(classifier.report_.to_frame().query("verdict == 'poisoned'").head())
