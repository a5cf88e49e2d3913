"""What stands beside the transcript of docs/guide/teach.md: the same student with fewer careful labels, and by cross-fitting.

    python benchmarks/science/teach_example.py

The sentences of examples/teach/make_files.py. Once with 300 of the 600 careful labels; then six times without another sixth of
all sentences, which the student is asked about: its gain over the rules' majority where these speak, with a 95% interval over
the sentences. Features are read once, so it takes a minute or two of one core.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import outgrow
from outgrow.tasks.sentiment import sentiment
from outgrow.teaching.saved.saved_student import load
from outgrow.teaching.sentences import sentences
from outgrow.teaching.students import no_progress

EXAMPLE = Path(__file__).parents[2] / "examples" / "teach"
sys.path.insert(0, str(EXAMPLE))

import make_files  # type: ignore[import-not-found]  # noqa: E402

PARTS, FEW = 6, 300


def taught(place: Path, texts: Sequence[str], careful: Sequence[str], truth: Mapping[str, int]) -> Any:
    """The report of `teach` on these sentences; the student is in the folder `student`."""
    make_files.HERE = place
    names = [voter.__name__ for voter in make_files.VOTERS]
    make_files.write("labels.csv", ["sentence", *names], ([text, *make_files.said(text)] for text in texts))
    make_files.write("gold.csv", ["sentence", "label"], ([text, truth[text]] for text in careful))
    return outgrow.teach(
        place / "labels.csv",
        text="sentence",
        columns=names,
        student="minilm",
        truth=place / "gold.csv",
        out=place / "student",
        store=place / "store",
        worth=False,
    )


def gains(texts: Sequence[str], place: Path, truth: Mapping[str, int]) -> Any:
    """Right (1) or not (0) of the student less the majority of the rules, for each of these texts that rules speak of."""
    votes = np.array([[{"1": 1, "0": -1}.get(vote, 0) for vote in make_files.said(text)] for text in texts]).sum(axis=1)
    spoken = np.array([any(make_files.said(text)) for text in texts])
    kept = load(place / "student")
    student = np.array(kept.classes)[kept.student.reader("cpu")(list(texts), no_progress).argmax(axis=1)]
    right = np.array([str(truth[text]) for text in texts])
    majority = np.where(votes == 0, 0.5, np.where(votes > 0, "1", "0") == right)  # a tie is right half of the time
    return ((student == right) - majority)[spoken]


def main() -> None:
    """Print both."""
    task = sentiment()
    truth = dict(zip(task.inputs, task.labels, strict=True))
    texts = [list(truth)[place] for place in np.random.default_rng(0).permutation(len(truth))]
    old = texts[make_files.NEW :]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        print(*sentences(taught(place, old, old[:FEW], truth).plain()), sep="\n")
        found = []
        for part in range(PARTS):
            left = [text for row, text in enumerate(texts) if row % PARTS != part]
            taught(place, left, left[: make_files.CAREFUL], truth)
            found.append(gains(texts[part::PARTS], place, truth))
        all_of = np.concatenate(found)
        error = 1.96 * all_of.std(ddof=1) / len(all_of) ** 0.5
        print(f"{100 * all_of.mean():.1f} ({100 * (all_of.mean() - error):.1f} … {100 * (all_of.mean() + error):.1f})")


if __name__ == "__main__":
    main()
