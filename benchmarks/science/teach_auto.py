"""What `teach --student auto` brings beside the usual student, and what a better body brings to the best alternative.

    python benchmarks/science/teach_auto.py

Writes teach_auto.json beside it: half an hour on one core, and what is there is not measured again. As teach.py, with 200
careful labels and one draw: heads on static embeddings, MiniLM and MPNet; the one that careful labels choose, by log loss as
`teach` does and by accuracy; and a head on both encoders' features side by side, which `teach` does not have. The alternative
is logistic regression on MPNet's features after confident learning, with the careful labels as ten cheap ones.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product as product_of
from pathlib import Path
from typing import Any

import numpy as np
from teach import alternatives, product
from teach_data import AS_TAUGHT, KINDS, SETS, DataSet, Draw, cheap_labels, data_set, drawn, unit
from teach_worlds import World, labelled, world_of

from outgrow.core.examples import Ints
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.store import Store
from outgrow.teaching.labels.dataset import Dataset
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.options import learning, read_by
from outgrow.teaching.steps import dataset_step
from outgrow.teaching.teach import Laboratory, teach, usual

FOUND = Path(__file__).with_suffix(".json")
CAREFUL = 200
STUDENTS = {"wordllama": "wordllama", "minilm": AS_TAUGHT, "mpnet": "mpnet"}  # what `auto` finds here, and its features
BOTH = "minilm and mpnet"
OTHER = "confident learning, careful x 10"


def worlds(name: str, folder: Path) -> dict[str, World]:
    """A data set as each student reads it."""
    data = data_set(name, ("minilm", *STUDENTS.values()))
    both = np.hstack([unit(data.features[of]) for of in (AS_TAUGHT, "mpnet")])
    data = DataSet(data.texts, data.truth, data.classes, {**data.features, BOTH: both})
    folder.mkdir()
    features = {**STUDENTS, BOTH: BOTH}
    return {student: world_of(data, folder / student.replace(" ", "-"), read) for student, read in features.items()}


def chosen(of: Mapping[str, World], rows: Draw, labels: Ints, folder: Path, store: Path) -> tuple[str, str, float]:
    """The student that `teach --student auto` keeps, and the one that is right most often on careful labels; its accuracy."""
    one = of["minilm"]
    folder.mkdir()
    file = labelled(one, folder / "labels.csv", np.concatenate([rows.cheap, rows.careful]), labels)
    gold = labelled(one, folder / "gold.csv", rows.careful, one.data.truth)
    sources: dict[str, Any] = {}
    pool = dataset_step(file, Reading.of("text"), Form.of(["label"]), gold, "label", sources)
    by_student = {name: learning(of[name].name, None, careful=True) for name in STUDENTS}
    tried = [choice for some in by_student.values() for choice in some]
    laboratory = Laboratory(Store(store), Machine(device="cpu"), sources | read_by(tried), Silent())
    data = Dataset.load(*laboratory.made([pool]))
    choices = usual(tried, data, careful=True)
    made = teach(pool, choices, laboratory, worth=False)
    best = max(made.report.tried, key=lambda one: float(one["accuracy"]))
    (by_accuracy,) = [name for name in STUDENTS if best["student"].endswith(name)]
    (name,) = [name for name in STUDENTS if of[name].name == made.learner.spec.name]
    said = made.report.student_accuracy
    assert said is not None
    assert said.estimate is not None  # there are careful labels
    return name, by_accuracy, said.estimate


def main() -> list[dict[str, Any]]:
    """A row a data set and noise; what the file has is not measured again."""
    found = json.loads(FOUND.read_text(encoding="utf-8")) if FOUND.exists() else []
    with tempfile.TemporaryDirectory() as place:
        for name, kind in product_of(SETS, KINDS):
            if any((cell["set"], cell["noise"]) == (name, kind) for cell in found):
                continue
            of = worlds(name, Path(place) / f"{name}-{kind}")
            one = of["minilm"]
            rows = drawn(one.data, 0)
            labels = cheap_labels(one.data, rows, kind, 0)
            accuracy, store = {}, Path(place) / f"{name}-{kind}-store"
            for student, world in of.items():
                folder = Path(place) / f"{name}-{kind}-{student}"
                folder.mkdir()
                accuracy[student] = product(world, rows, labels, CAREFUL, folder, store)
            kept, by_accuracy, said = chosen(of, rows, labels, Path(place) / f"{name}-{kind}-auto", store)
            as_mpnet = DataSet(one.data.texts, one.data.truth, one.data.classes, {"minilm": one.data.features["mpnet"]})
            others = alternatives(as_mpnet, rows, labels, CAREFUL)
            scores = {**accuracy, "auto": accuracy[kept], "said": said, "labels": others["labels"]}
            scores["by accuracy"] = accuracy[by_accuracy]
            scores |= {"alternative on mpnet": others[OTHER], "ceiling on mpnet": others["ceiling"]}
            found.append({"set": name, "noise": kind, "kept": kept, **{of: round(x, 4) for of, x in scores.items()}})
            FOUND.write_text("[\n" + ",\n".join(map(json.dumps, found)) + "\n]\n", encoding="utf-8")
            print(json.dumps(found[-1]), flush=True)
    return found


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """A row a data set: mean accuracy in per cent over kinds of noise, and which student was kept."""
    columns = ("labels", *STUDENTS, "auto", "by accuracy", BOTH, "alternative on mpnet", "ceiling on mpnet")
    rows = [f"| | {' | '.join(columns)} | kept |", f"|---|{'---|' * (len(columns) + 1)}"]
    for name in [*dict.fromkeys(cell["set"] for cell in found), None]:
        cells = [cell for cell in found if name in (None, cell["set"])]
        means = (f"{100 * np.mean([cell[column] for cell in cells]):.1f}" for column in columns)
        kept = [cell["kept"] for cell in cells]
        times = ", ".join(f"{one} {kept.count(one)}" for one in STUDENTS if one in kept)
        rows.append(f"| {name or 'mean'} | {' | '.join(means)} | {times} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(main()))
