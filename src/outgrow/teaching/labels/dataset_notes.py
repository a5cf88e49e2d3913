"""What people should know of the files that a student learned from, a sentence each."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from outgrow.core.examples import Ints
from outgrow.core.text.units import plural
from outgrow.results.diagnostics.shares import far_apart
from outgrow.tasks.class_names import class_names_in_texts
from outgrow.teaching.labels.dataset import Dataset


def notes(dataset: Dataset, labels: str, truth: str) -> list[str]:
    """What people should know of the files, under the names that these have now."""
    counts, pool = dataset.counts, dataset.pool
    found = []
    if counts.get("repeated"):
        found.append(f"{plural(counts['repeated'], 'repeated vote')} of one voter on one text: counted once")
    if counts.get("torn"):
        found.append(
            f"{plural(counts['torn'], 'text')} with contradicting votes of one voter: these votes are left out"
        )
    parts = {name: re.split(r"\s*[|;,]\s*", name) for name in pool.classes}
    combined = [name for name, several in parts.items() if len(several) > 1 and set(several) <= set(pool.classes)]
    if combined:
        found.append(
            f"classes such as {combined[0]!r} look like several labels in one cell: each combination is a class of its own"
        )
    if counts["ties"]:
        found.append(f"{plural(counts['ties'], 'label')} of {labels} {_are(counts['ties'])} a tie, and left out")
    if dataset.given.kind != "votes" and counts["texts"] < counts["lines"]:
        found.append(
            f"{counts['lines']} rows of {labels} hold {counts['texts']} distinct texts; labels of the same text are joined"
        )
    if counts["unlabelled"]:
        found.append(
            f"{counts['unlabelled']} of {counts['texts']} texts have no cheap label and are not used for training"
        )
    if dataset.given.kind in ("columns", "votes") and dataset.given.rules == ("mean",):
        found.append("fewer than three give labels: nothing indicates who is right more often, so they are averaged")
    if counts.get("chosen_scored"):
        found.append(
            f"{plural(counts['chosen_scored'], 'text')} of --learn {_are(counts['chosen_scored'])} in {truth} too, and "
            f"taken from there alone: whatever is measured by is not chosen"
        )
    if counts.get("chosen_contradicting"):
        found.append(
            f"{plural(counts['chosen_contradicting'], 'text')} of --learn with contradicting labels "
            f"{_are(counts['chosen_contradicting'])} left out"
        )
    if counts.get("chosen"):
        found.append(
            f"{plural(counts['chosen'], 'careful label')} of --learn {_are(counts['chosen'])} learned from and not measured by"
        )
    if "careful" not in counts:
        return found
    if counts["blank"]:
        found.append(f"{plural(counts['blank'], 'row')} of {truth} without a label {_are(counts['blank'])} left out")
    if counts["contradicting"]:
        found.append(
            f"{plural(counts['contradicting'], 'text')} of {truth} with contradicting labels "
            f"{_are(counts['contradicting'])} left out; votes are kept with --truth-voter"
        )
    if counts.get("dissent"):
        found.append(
            f"annotators of {truth} differ on {counts['dissent']} of {counts['careful']} texts: the shares of their votes are "
            "learned, and their majority measures"
            + (f" ({counts['tied']} with a tie: one of its labels, by the text's hash)" if counts["tied"] else "")
        )
    if counts["respelled"]:
        found.append(
            f"{plural(counts['respelled'], 'text')} of {truth} {_are(counts['respelled'])} in {labels} in another spelling "
            "(case, white space, Unicode form): taken for the same"
        )
    if counts["twins"]:
        found.append(
            f"{plural(counts['twins'], 'further spelling')} in {labels} of texts of {truth} {_are(counts['twins'])} left out"
        )
    if not counts["overlap"]:
        found.append(f"no text of {truth} is in {labels}, so the accuracy of the cheap labels themselves is not known")
    else:
        show = "it shows" if counts["overlap"] == 1 else "they show"
        found.append(
            f"{counts['overlap']} of {counts['careful']} texts of {truth} {_are(counts['overlap'])} in {labels} too: "
            f"{show} how often the cheap labels are right"
        )
    careful = np.flatnonzero(pool.labels >= 0)
    forms = [pool.input_type.normal_form(pool.inputs[row]) for row in careful.tolist()]
    found += [f"{truth}: {note}" for note in class_names_in_texts(forms, pool.labels[careful].tolist(), pool.classes)]
    missing = np.bincount(pool.labels[pool.labels >= 0], minlength=len(pool.classes)) == 0
    found += [
        f"no row of {truth} is of class {name!r}, so nothing is known about it"
        for name, absent in zip(pool.classes, missing.tolist(), strict=True)
        if absent
    ]
    return found


def far_from_labels(student: Ints, labels: Ints, classes: Sequence[str]) -> tuple[str, ...]:
    """A note where a student's classes `[n]` are in other shares than the cheap labels of the same texts."""
    known = labels >= 0
    found = far_apart(student[None, known], labels[None, known], len(classes)) if known.any() else None
    if found is None:
        return ()
    return (
        f'the student predicts "{classes[found.number]}" on {found.student:.0%} of the texts that it learned from, where the '
        f"cheap labels have it on {found.labels:.0%}: its shares of the classes are far from its labels'",
    )


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
