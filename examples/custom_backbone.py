"""Your own network as the backbone: any nn.Module from series to one score per class."""

from torch import nn

from robust_ts import E2ABLClassifier
from robust_ts.attacks import SineTrigger, poison
from robust_ts.datasets import load_dataset
from robust_ts.evaluation import evaluate_backdoor


def small_network(n_channels: int, n_classes: int, n_timesteps: int) -> nn.Module:
    """Two convolutions, then an average over time."""
    return nn.Sequential(
        nn.Sequential(nn.Conv1d(n_channels, 32, 7, padding=3), nn.BatchNorm1d(32), nn.GELU()),
        nn.Sequential(nn.Conv1d(32, 64, 5, padding=2), nn.BatchNorm1d(64), nn.GELU()),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(64, n_classes),
    )


X_train, y_train, X_test, y_test = load_dataset("JapaneseVowels")
trigger = SineTrigger().fit(X_train)
data = poison(X_train, y_train, trigger, target=0, rate=0.1, random_state=0)

# The auxiliary head reads the layer "0", the first convolution block.
classifier = E2ABLClassifier(small_network, backbone_tap="0", epochs=60, random_state=0)
classifier.fit(data.X, data.y)
print(evaluate_backdoor(classifier, X_test, y_test, trigger, target=0))
print(classifier.report_.summary())
