"""Data sets as worlds of words whose features are cached, and what `teach` makes of their labels there.

Each text is one word of a static table whose vector is the cached feature, so that the product's own steps do the rest.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from teach_data import AS_TAUGHT, DataSet, data_set
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

import outgrow
from outgrow.core.examples import Floats, Ints
from outgrow.execution.machine import Machine
from outgrow.teaching.saved.saved_student import load
from outgrow.teaching.students import no_progress

STUDENT = "minilm"


@dataclass(frozen=True)
class World:
    """A data set whose texts are words, a word the cached features of one text."""

    data: DataSet
    words: list[str]
    name: str  # of a student that reads them


def world(name: str, folder: Path, read: str = AS_TAUGHT) -> World:
    """A data set that both students of teach.py have read. read: whose features."""
    return world_of(data_set(name, ("wordllama", STUDENT, AS_TAUGHT)), folder, read)


def world_of(data: DataSet, folder: Path, read: str) -> World:
    """The words are as long as the texts, as lengths tell of mistakes. read: whose features."""
    words = [f"{row}-".ljust(len(text), "x") for row, text in enumerate(data.texts)]
    folder.mkdir()
    tokenizer = Tokenizer(WordLevel({word: row for row, word in enumerate([*words, "?"])}, unk_token="?"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    values = data.features[read]
    save_file(
        {"embedding.weight": np.vstack([values, 0 * values[:1]]).astype(np.float32)}, folder / "model.safetensors"
    )
    return World(data, words, f"static:{folder}")


def write(path: Path, rows: Iterable[Sequence[Any]], names: Sequence[str] = ("label",)) -> Path:
    """A CSV file of texts with labels, class numbers as `c0`; names: of the labels' columns."""
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = ([text, *("" if label is None else f"c{label}" for label in labels)] for text, *labels in rows)
        csv.writer(file).writerows([["text", *names], *lines])
    return path


def labelled(of: World, path: Path, rows: Ints, labels: Ints) -> Path:
    """A CSV file of some of the texts with one label each; labels: of all the texts."""
    return write(path, ((of.words[row], labels[row]) for row in rows))


def taught(
    of: World,
    file: Path,
    gold: Path | None,
    columns: Sequence[str] = ("label",),
    store: Path | None = None,
    **asked: Any,
) -> Any:
    """The report of `teach` on a file; the student is in the folder beside it. store: where one is there already."""
    return outgrow.teach(
        file,
        text="text",
        columns=columns,
        student=of.name,
        truth=gold,
        out=file.parent / "student",
        store=store or file.parent / "store",
        machine=Machine(device="cpu"),
        worth=False,
        **asked,
    )


def right(of: World, folder: Path, rows: Ints) -> Floats:
    """1 where the student that was taught in a folder is right, 0 where not, of some of the texts."""
    kept = load(folder / "student")
    answers = kept.student.reader("cpu")([of.words[row] for row in rows], no_progress).argmax(axis=1)
    said = np.array([int(name.removeprefix("c")) for name in kept.classes])[answers]
    return np.asarray(said == of.data.truth[rows], dtype=np.float64)
