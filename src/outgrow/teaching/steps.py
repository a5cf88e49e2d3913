"""The steps that prepare a student's data: what the files hold, the cheap labels joined, the rows of one training."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from outgrow.core.answers import within
from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import Ints, Strings
from outgrow.core.files.tables import read_table, table_format
from outgrow.core.pool import Pool
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.steps.job_files import save
from outgrow.models.label_sources.aggregate import Rule
from outgrow.teaching.labels.careful_labels import careful_files
from outgrow.teaching.labels.correction import PARTS, Clues, corrected, dealt, lengths
from outgrow.teaching.labels.dataset import Dataset, Evidence, read_dataset, truth_in
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading

FOLDS = 10
Careful = Literal["none", "all"] | tuple[Literal["fold", "others"], int]  # which of the careful rows


def dataset_step(
    labels: str | Path,
    reading: Reading,
    form: Form,
    truth: str | Path | Sequence[str | Path] | None,
    truth_label: str | None,
    sources: dict[str, Any],
    max_classes: int | None = None,
    *,
    truth_voters: Sequence[str] = (),
    learn: Sequence[str | Path] = (),
) -> Step:
    """What the files hold, as a pool; where they are is added to `sources`. Raises UsageError where one is missing."""
    files: list[dict[str, str]] = []
    problems: list[str] = []
    careful = careful_files(truth)
    for path in (labels, *careful, *learn):
        try:
            folder = reading.inputs.folders and Path(path).is_dir()
            file = {
                "sha256": reading.inputs.fingerprint(Path(path), reading.keys),
                "format": "folder" if folder else table_format(Path(path)),
            }
        except OSError:
            read_table(path, problems)  # which says why, and names the nearest file there is
        except UsageError as error:
            problems += error.problems
        else:
            files.append(file)
            sources[file["sha256"]] = str(path)
    if problems:
        raise UsageError(*problems)
    params: dict[str, Any] = {"labels": files[0], "reading": reading.identity(), "form": form.identity()}
    if careful:
        params |= {"truth": files[1], "truth_label": truth_label}
    elif learn:
        params["truth_label"] = truth_label
    if len(careful) > 1:
        params["more_truth"] = files[2 : len(careful) + 1]
    if truth_voters:
        params["truth_voters"] = list(truth_voters)
    if learn:
        params["learn"] = files[len(careful) + 1 :]
    if max_classes is not None:
        params["max_classes"] = max_classes
    return Step("dataset", params, label=f"read {Path(labels).name}")


def dataset(jobs: Sequence[Job], context: Context) -> None:
    """The distinct texts of the files by content id, with the careful labels as their truth."""
    for job in jobs:
        truth = [*([job.params["truth"]] if "truth" in job.params else []), *job.params.get("more_truth", [])]
        reading = Reading.from_identity(job.params["reading"])
        read_dataset(
            _path(job.params["labels"], reading, context),
            reading=reading,
            form=Form.from_identity(job.params["form"]),
            truth=[_path(file, reading, context) for file in truth],
            truth_label=job.params.get("truth_label"),
            truth_voters=job.params.get("truth_voters", ()),
            learn=[_path(file, reading, context) for file in job.params.get("learn", ())],
            max_classes=job.params.get("max_classes"),
        ).save(job.folder)


def _path(file: Mapping[str, str], reading: Reading, context: Context) -> Path:
    path = Path(context.sources[file["sha256"]])
    if not path.exists() or reading.inputs.fingerprint(path, reading.keys) != file["sha256"]:
        raise OutgrowError(f"{path}: changed while it was being used; run the same command again")
    return path


def cheap_labels_step(pool: Step, by: Rule, *, without: int | None = None) -> Step:
    """The cheap labels of the pool's rows, joined by a rule. without: a column that is left out."""
    params: dict[str, Any] = {"by": by} if without is None else {"by": by, "without": without}
    return Step("cheap_labels", params, {"pool": pool}, label=f"join the cheap labels by {by}")


def cheap_labels(jobs: Sequence[Job], context: Context) -> None:
    """Probabilities of every row of the pool, NaN where there is no cheap label; facts: what each voter covers."""
    for job in jobs:
        data = Dataset.load(job.parents["pool"])
        given = data.given.without(job.params["without"]) if "without" in job.params else data.given
        probabilities, voters = given.joined(job.params["by"])
        save(job.folder, data.over_pool(probabilities), voters=voters)


def lesson_step(
    pool: Step,
    labels: Step,
    learn: Careful,
    judge: Careful,
    seed: int,
    weight: float | None = None,
    leave: int | None = None,
    chosen: float | None = None,
) -> Step:
    """The rows of one training: those with cheap labels, and of the careful ones those to learn from and to judge by.

    weight: how many cheap labels a careful one counts as; None: as one. leave: which of `PARTS` parts is left out.
    chosen: how many cheap labels a careful one counts as that was chosen and not drawn; None: as one.
    """
    params: dict[str, Any] = {"learn": _json(learn), "judge": _json(judge)}
    if not (isinstance(learn, str) and isinstance(judge, str)):
        params |= {"folds": FOLDS, "seed": seed}
    if weight is not None and learn != "none":
        params["weight"] = weight
    if chosen is not None:
        params["chosen"] = chosen
    if leave is not None:
        params["leave"] = [leave, PARTS]
    return Step("lesson", params, {"pool": pool, "labels": labels}, label="deal the rows to learn from")


def _json(careful: Careful) -> Any:
    return careful if isinstance(careful, str) else list(careful)


def lesson(jobs: Sequence[Job], context: Context) -> None:
    """As a split: `transfer` (to learn from) and `validation` (careful rows to judge by). As labels: `probabilities`,
    the truth where a careful row is learned from (of those that were chosen always), the cheap labels elsewhere.
    `weights`, where they differ.
    """
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        cheap = np.load(job.parents["labels"] / "probabilities.npy")
        learned, judged = (_careful(data, job.params, job.params[use]) for use in ("learn", "judge"))
        evidence = Evidence(data, cheap, truth_in(job.parents["pool"], data))
        taught, chosen = evidence.taught, evidence.chosen
        if "leave" in job.params:
            place, parts = job.params["leave"]
            taught, learned = (np.setdiff1d(rows, dealt(rows, parts)[place]) for rows in (taught, learned))
        cheap[learned], cheap[chosen] = evidence.truth[learned], evidence.truth[chosen]
        np.save(job.folder / "transfer.npy", np.sort(np.concatenate([taught, learned])))
        np.save(job.folder / "validation.npy", judged)
        if "weight" in job.params or "chosen" in job.params:
            weights = np.ones(len(data))
            weights[learned], weights[chosen] = job.params.get("weight", 1.0), job.params.get("chosen", 1.0)
            np.save(job.folder / "weights.npy", weights)
        save(job.folder, cheap)


def corrected_step(pool: Step, labels: Step, learn: Careful, seed: int, opinions: Sequence[Step]) -> Step:
    """The cheap labels corrected by careful ones; opinions: students, the i-th of which left part i of the rows out."""
    params: dict[str, Any] = {"learn": _json(learn)}
    if not isinstance(learn, str):
        params |= {"folds": FOLDS, "seed": seed}
    parents = {"pool": pool, "labels": labels} | {f"opinion_{place}": step for place, step in enumerate(opinions)}
    return Step("corrected", params, parents, label="correct the cheap labels")


def corrections(jobs: Sequence[Job], context: Context) -> None:
    """Probabilities of the rows with a cheap label and no careful one, NaN elsewhere.

    Careful rows that were chosen by what the student is sure of show how cheap labels err too, given its opinion.
    """
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        cheap = np.load(job.parents["labels"] / "probabilities.npy")
        has_cheap = ~np.isnan(cheap).any(axis=1)
        evidence = Evidence(data, cheap, truth_in(job.parents["pool"], data))
        taught, chosen = evidence.taught, evidence.chosen
        learned = _careful(data, job.params, job.params["learn"])
        parts = [role for role in job.parents if role.startswith("opinion_")]
        opinion = np.full(cheap.shape, np.nan)
        for place in range(len(parts)):
            of_part = np.load(job.parents[f"opinion_{place}"] / "probabilities.npy", mmap_mode="r")
            rows = np.concatenate([dealt(rows, len(parts))[place] for rows in (taught, learned)])
            opinion[rows] = of_part[rows]
        taught = np.setdiff1d(taught, chosen)
        known = np.concatenate([learned[has_cheap[learned]], chosen[has_cheap[chosen]]])
        rows = np.concatenate([taught, known])
        clues = Clues(opinion[rows], cheap[rows], lengths(data.sizes)[rows])
        found = np.full(cheap.shape, np.nan)
        places = data.input_type.exchangeable
        made = corrected(clues, evidence.truth[known], len(taught) + np.arange(len(known)), places=places)
        found[taught] = made[: len(taught)]
        save(job.folder, within(found, data.allowed))


def _careful(data: Pool, params: Mapping[str, Any], which: Any) -> Ints:
    rows = np.flatnonzero(data.labels >= 0)
    if which == "none":
        return rows[:0]
    if which == "all":
        return rows
    use, place = which
    fold = folds(data.groups[rows], params["seed"], params["folds"])[place]
    found: Ints = rows[np.sort(fold)] if use == "fold" else np.delete(rows, fold)
    return found


def folds(groups: Strings, seed: int, count: int = FOLDS) -> list[Ints]:
    """Careful rows, of which these are the groups, dealt into disjoint parts: positions among them.

    Rows of one group, such as choices under one context, stay together.
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    members = [np.flatnonzero(group == one) for one in group[np.sort(first)]]
    order = np.random.default_rng(seed).permutation(len(members))
    return [np.concatenate([members[one] for one in order[place::count]] or [np.arange(0)]) for place in range(count)]


def careful_order_step(pool: Step, seed: int, repeat: int) -> Step:
    """All careful rows in a random order, of which a student learns the first ones."""
    return Step("careful_order", {"seed": seed, "repeat": repeat}, {"pool": pool}, label="shuffle the careful labels")


def careful_order(jobs: Sequence[Job], context: Context) -> None:
    """As a split: `transfer`, the careful rows in random order, and `validation`, the same rows in the pool's order.

    Two classes are among the first 25: one class alone teaches nothing.
    """
    for job in jobs:
        data = Pool.load(job.parents["pool"])
        rows = np.flatnonzero(data.labels >= 0)
        random = np.random.default_rng([job.params["seed"], job.params["repeat"]])
        order = random.permutation(rows)
        labels = data.labels[order]
        others = np.flatnonzero(labels != labels[0])
        if len(others):  # of choices, whose classes are places, one may be all there is
            place = min(int(others[0]), 1 + int(random.integers(_FIRST - 1)))
            order[[place, others[0]]] = order[[others[0], place]]
        np.save(job.folder / "transfer.npy", order)
        np.save(job.folder / "validation.npy", rows)


_FIRST = 25  # the smallest size of a learning curve


def handed_over(jobs: Sequence[Job], context: Context) -> None:
    """A folder of rows, labels and weights that the caller wrote, under the digest of what it holds."""
    for job in jobs:
        for path in Path(context.sources[job.params["digest"]]).iterdir():
            shutil.copyfile(path, job.folder / path.name)


DATASET = Kind(3, dataset, exact=True)
CHEAP_LABELS = Kind(1, cheap_labels)
LESSON = Kind(1, lesson, exact=True)
CORRECTED = Kind(1, corrections)
CAREFUL_ORDER = Kind(1, careful_order, exact=True)
HANDED_OVER = Kind(1, handed_over, exact=True)
