"""What students say of every row of a file: each text by one that did not learn it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from outgrow.core.examples import Floats
from outgrow.core.files.columns.row_text import render
from outgrow.core.files.tables import Table, read_table
from outgrow.core.identity import content_id, digest, digest_file
from outgrow.core.pool import Pool
from outgrow.execution.step import Step
from outgrow.experiment.steps.models.heads import features_step
from outgrow.experiment.steps.training_request import TaskPlan
from outgrow.models.heads.solver import Head, Solver, predict_all
from outgrow.questions.material import Material


@dataclass(frozen=True)
class Rows:
    """The rows of a file by the content id of their text, and the groups that a column gives them."""

    table: Table
    texts: list[str]
    ids: list[str]
    groups: list[str | None]  # one a row, all None without a column


def read_rows(path: str | Path, text: str, by: str | None, problems: list[str]) -> Rows | None:
    """The rows of a file; what is wrong goes to `problems`."""
    table = read_table(path, problems)
    if table is None:
        return None
    before = len(problems)
    texts = render(table, text, problems)
    groups: list[str | None] = [None] * len(table)
    if by is not None and table.has(by, "the groups", problems):
        groups = table.names(by, "group", problems)
    if texts is None or len(problems) > before:
        return None
    return Rows(table, texts, [content_id(one) for one in texts], groups)


def predictions(material: Material, rows: Rows) -> Floats:
    """Class probabilities of each row, `[rows, classes]`.

    Of a text that some student learned, by the one that did not; of all others by the mean of all students.
    """
    pool = material.work.data.pool
    at = {id_: number for number, id_ in enumerate(pool.ids.tolist())}
    new = {id_: text for id_, text in zip(rows.ids, rows.texts, strict=True) if id_ not in at}
    unknown = sorted(new)
    found = np.empty((len(rows.ids), len(pool.classes)))
    if unknown:
        values = _of_new_texts(material, unknown, [new[id_] for id_ in unknown])
        here = {id_: number for number, id_ in enumerate(unknown)}
    for row, id_ in enumerate(rows.ids):
        found[row] = material.opinion[at[id_]] if id_ in at else values[here[id_]]
    return found


def _of_new_texts(material: Material, ids: Sequence[str], texts: Sequence[str]) -> Floats:
    """The mean of all students' probabilities of texts that none of them learned; the texts are read once, and kept."""
    from safetensors.numpy import load_file

    work = material.work
    nobody = np.full(len(ids), -1)
    names = np.array(ids, dtype=np.str_)
    pool = Pool(names, list(texts), nobody, work.data.pool.classes, names, nobody > 0)
    folder = Path(tempfile.mkdtemp(prefix="outgrow-rows-"))
    try:
        pool.save(folder)
        content = digest({path.name: digest_file(path) for path in folder.iterdir()})
        step = Step("handed_over", {"digest": content}, label="rows")
        task = TaskPlan("rows", pool, step, {}, material.learner.locations)
        laboratory = replace(work.laboratory, sources={**work.laboratory.sources, content: str(folder)})
        (features,) = laboratory.made([features_step(task, material.learner.spec)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    heads = []
    for student in material.students:
        tensors = load_file(work.laboratory.opened(student) / "head.safetensors")
        heads.append(Head(tensors["weight"], tensors["bias"]))
    solver = Solver(**material.students[0].params["solver"])
    found: Floats = np.mean(predict_all(np.load(features / "features.npy"), heads, solver), axis=0)
    return found
