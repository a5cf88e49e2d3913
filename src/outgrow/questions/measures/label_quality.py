"""How likely each label is wrong, from class probabilities of a student that learned neither that label nor its text.

Probabilities are first adjusted by class: a student of noisy labels leans to the classes that are given too often. Confident
learning (Northcutt et al. 2021, arXiv 1911.00068, section 3.1) compares each with its mean over the texts labelled so; the
margin of probabilities that are moved by these thresholds is cleanlab's adjusted normalised margin (Kuan & Mueller 2022,
*Model-agnostic label quality scoring to detect real-world label errors*). Where a text has labels of several sources, the
others' count too, each by its accuracy, as in CROWDLAB (Goh et al. 2022, arXiv 2210.06812).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outgrow.core.examples import Floats, Ints

FLOOR = 1e-3  # no class is less likely: a student that is sure may be wrong
PRIOR = 10.0  # labels of all sources together that the accuracy of one source begins with
CAREFUL_RIGHT = 0.97  # how often careful labels are taken to be right


@dataclass(frozen=True)
class GivenBy:
    """m labels of n texts, each by one of several sources."""

    text: Ints  # [m]
    source: Ints  # [m]
    label: Ints  # [m] class
    careful: int  # which of the sources is the careful one, -1: none


@dataclass(frozen=True)
class Quality:
    """Of each label: how likely it is wrong, between 0 and 1, and which class is likelier than all others but itself."""

    wrong: Floats  # [m]
    instead: Ints  # [m]
    accuracy: Floats  # [sources] share of each one's labels that are right, by the student


def thresholds(probabilities: Floats, labels: Ints) -> Floats:
    """Mean probability of each class over the texts labelled so, `[classes]`; of a class without labels, over all."""
    classes = probabilities.shape[1]
    means = [
        probabilities[labels == one, one].mean() if (labels == one).any() else probabilities[:, one].mean()
        for one in range(classes)
    ]
    return np.array(means)


def adjusted(probabilities: Floats, limits: Floats) -> Floats:
    """Probabilities `[n, classes]` less the thresholds of their classes, moved above 0 and normalised."""
    moved = probabilities - limits + limits.max()
    found: Floats = moved / moved.sum(axis=1, keepdims=True)
    return np.maximum(found, FLOOR)


def quality(probabilities: Floats, given: GivenBy) -> Quality:
    """How likely each label is wrong; probabilities `[n, classes]` by students that did not learn the text in question.

    A label's odds against the best other class are those of the student (adjusted) times, for each other source's label of
    the text, accuracy or its complement shared among the other classes; and the ratio of its own source's accuracy in that
    class to all sources'.
    """
    classes = probabilities.shape[1]
    limits = thresholds(probabilities[given.text], given.label)
    belief = adjusted(probabilities.astype(np.float64), limits)
    likely = belief / belief.sum(axis=1, keepdims=True)
    own = likely[given.text, given.label]
    sources = int(given.source.max()) + 1 if len(given.source) else 0
    everywhere = float(own.mean()) if len(own) else 0.5
    counts = np.bincount(given.source, minlength=sources)
    accuracy = (np.bincount(given.source, own, sources) + PRIOR * everywhere) / (counts + PRIOR)
    if given.careful >= 0:
        accuracy[given.careful] = max(CAREFUL_RIGHT, accuracy[given.careful])
    log = np.log(belief)
    right = np.clip(accuracy, 1 / classes, 0.99)
    says = np.log(right) - np.log((1 - right) / (classes - 1))  # what a label of each source adds to its class
    np.add.at(log, (given.text, given.label), says[given.source])
    own_log = log[given.text].copy()
    place = np.arange(len(given.text))
    own_log[place, given.label] -= says[given.source]  # a label is no witness of itself
    own_log[place, given.label] += _better_source(own, given, sources, classes, accuracy)
    score = own_log[place, given.label]
    own_log[place, given.label] = -np.inf
    instead = own_log.argmax(axis=1)
    wrong: Floats = 1 / (1 + np.exp(np.clip(score - own_log[place, instead], -50, 50)))
    return Quality(wrong, instead, accuracy)


def _better_source(own: Floats, given: GivenBy, sources: int, classes: int, accuracy: Floats) -> Floats:
    """By how much the log odds of a source's labels of a class are above those of all sources', `[m]`; of one source 0."""
    of_class = np.bincount(given.label, minlength=classes)
    mean = np.bincount(given.label, own, classes) / np.maximum(of_class, 1)
    cell = given.source * classes + given.label
    total = np.bincount(cell, own, sources * classes)
    count = np.bincount(cell, minlength=sources * classes)
    right = ((total + PRIOR * np.tile(mean, sources)) / (count + PRIOR)).reshape(sources, classes)
    if sources == 1:
        return np.zeros(len(own))
    if given.careful >= 0:
        right[given.careful] = np.maximum(right[given.careful], accuracy[given.careful])
    odds = [np.log(value) - np.log(1 - value) for value in (np.clip(right, 0.01, 0.99), np.clip(mean, 0.01, 0.99))]
    found: Floats = (odds[0] - odds[1])[given.source, given.label]
    return found
