"""My model: a model of its own, that counts words."""

from __future__ import annotations

from typing import Any

import numpy as np

from outgrow import Examples, Labels, Model


class MyModel(Model):
    """Naive Bayes on the words of a text, with `smoothing` added to each count."""

    by_loss = False  # it counts: no loss of a method reaches it, only what methods change of the labels
    smoothing: float = 1.0

    def fit(self, examples: Examples, targets: Labels, objective: Any, seed: int) -> Fitted:
        """Count the words of each class; what is returned predicts."""
        texts = [str(text).split() for text in examples.inputs]
        words = {word: place for place, word in enumerate(sorted({word for text in texts for word in text}))}
        counts = np.full((len(words), targets.probabilities.shape[1]), self.smoothing)
        for text, weight in zip(texts, targets.probabilities, strict=True):
            for word in text:
                counts[words[word]] += weight
        return Fitted(words, np.log(counts / counts.sum(axis=0)), np.log(targets.probabilities.mean(axis=0) + 1e-12))


class Fitted:
    """What was learned: the words, their log-probabilities `[words, classes]` and those of the classes."""

    def __init__(self, words: dict[str, int], likely: Any, prior: Any) -> None:
        self.words, self.likely, self.prior = words, likely, prior

    def predict(self, examples: Examples) -> Any:
        """Probabilities `[n, classes]`."""
        known = [[self.words[word] for word in str(text).split() if word in self.words] for text in examples.inputs]
        scores = np.array([self.prior + self.likely[places].sum(axis=0) for places in known])
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        return exponents / exponents.sum(axis=1, keepdims=True)
