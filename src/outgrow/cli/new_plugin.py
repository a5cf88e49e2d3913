"""A plug-in to start from: a working example of a method, a model or a task, with its test."""

from __future__ import annotations

import keyword
from pathlib import Path

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.registry import nearest

METHOD = '''"""{title}: learn from the weak labels, and less from rows that they are unsure about."""

import torch
from pydantic import Field

from outgrow import Method


class {name}(Method):
    """Cross entropy, each row weighed by how far its weak label is from uniform, to the power `strength`."""

    strength: float = Field(default=1.0, ge=0)

    def loss(self, logits, weak, progress, statistic=None):
        cross_entropy = torch.nn.functional.cross_entropy(logits, weak, reduction="none")
        doubt = -torch.special.xlogy(weak, weak).sum(dim=-1) / torch.tensor(float(weak.shape[-1])).log()
        return (1 - doubt).clamp_min(0) ** self.strength * cross_entropy
'''

MODEL = '''"""{title}: a model of its own, that counts words."""

import numpy as np
from pydantic import BaseModel, ConfigDict


class {name}(BaseModel):
    """Naive Bayes on the words of a text, with `smoothing` added to each count."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    smoothing: float = 1.0

    def fit(self, examples, targets, objective, seed):
        words = {{word: place for place, word in enumerate(sorted({{w for text in examples.inputs for w in text.split()}}))}}
        counts = np.full((len(words), targets.probabilities.shape[1]), self.smoothing)
        for text, weight in zip(examples.inputs, targets.probabilities, strict=True):
            for word in text.split():
                counts[words[word]] += weight
        return Fitted(words, np.log(counts / counts.sum(axis=0)), np.log(targets.probabilities.mean(axis=0) + 1e-12))


class Fitted:
    """What was learned: it is asked for probabilities, a row an example."""

    def __init__(self, words, likely, prior):
        self.words, self.likely, self.prior = words, likely, prior

    def predict(self, examples):
        known = [[self.words[word] for word in text.split() if word in self.words] for text in examples.inputs]
        scores = np.array([self.prior + self.likely[places].sum(axis=0) for places in known])
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        return exponents / exponents.sum(axis=1, keepdims=True)
'''

TASK = '''"""{title}: a task of its own: is the sum of two numbers even?"""

from outgrow.tasks.contract import RawTask


def {name}(numbers: int = 60) -> RawTask:
    """Sentences about pairs of numbers; those with the same first number belong together, so none is split."""
    pairs = [(a, b) for a in range(numbers) for b in range(a, numbers, 7)]
    return RawTask(
        inputs=[f"{{a}} and {{b}} make an even number" for a, b in pairs],
        labels=["yes" if (a + b) % 2 == 0 else "no" for a, b in pairs],
        groups=[f"first {{a}}" for a, _ in pairs],
    )
'''

TEST = '''"""{title} keeps its contract; `pytest` runs this."""

from pathlib import Path

from outgrow.cli.check_plugin import check


def test_it_keeps_its_contract() -> None:
    for line in check(f"{{Path(__file__).with_name({file!r})}}:{name}"):
        print(line)
'''

KINDS = {"method": METHOD, "model": MODEL, "task": TASK}
PLACES = {"method": "methods", "model": "strong", "task": "tasks"}


def new(kind: str, path: Path) -> list[str]:
    """Write an example of `kind` to `path`, its test beside it, and say what to do next.

    Raises UsageError for another kind, for a name that Python can't import and for files that are there already.
    """
    if kind not in KINDS:
        raise UsageError(f'new: "{kind}" is nothing to write{nearest(kind, KINDS)}')
    if path.suffix != ".py" or not path.stem.isidentifier() or keyword.iskeyword(path.stem):
        raise UsageError(f"new: {path} is no Python file's name: give one such as my_{kind}.py")
    test = path.with_name(f"test_{path.name}")
    there = [str(file) for file in (path, test) if file.exists()]
    if there:
        raise UsageError(f"new: {' and '.join(there)} is there already: give another name")
    words = [word for word in path.stem.split("_") if word]
    name = path.stem if kind == "task" else "".join(word[:1].upper() + word[1:] for word in words)
    title = " ".join(words).capitalize()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(KINDS[kind].format(name=name, title=title), encoding="utf-8")
        test.write_text(TEST.format(name=name, title=title, file=path.name), encoding="utf-8")
    except OSError as error:
        raise OutgrowError(f"new: {path} cannot be written: {error.strerror}") from None
    return [
        f"wrote {path}, a {kind} that works, and {test}",
        f"outgrow check {path}:{name}   holds it against its contract",
        f'{PLACES[kind]}: ["{path}:{name}"]   runs it in an experiment',
    ]
