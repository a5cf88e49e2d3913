"""Predictions that any program wrote, in CSV, JSONL or Parquet, scored against one truth: what `outgrow score` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Floats, class_name, sorted_classes, whole_number
from outgrow.core.files.columns.label_columns import class_probabilities
from outgrow.core.files.tables import Table, read_table
from outgrow.core.text.units import plural
from outgrow.results.cells import Entry, RunToScore
from outgrow.results.external.eval_logs import read_answers
from outgrow.results.predictions import HeldOut, ModelKey, Predictions

ROLES = ("weak", "student", "ceiling")
IDS = ("id", "txt")  # the second is what the field's reference code calls a row's text
TRUTHS = ("truth", "gt_label")
SEVERAL = "given"  # the method of a student's file without a column `method`

Key = tuple[str, int | None]  # method, seed; None: one model for all seeds


@dataclass(frozen=True)
class PredictionFile:
    """One file: its table, each row's id, what it knows of the truth, and the rows of each method and seed."""

    role: str
    table: Table
    ids: Sequence[str]
    truth: Sequence[str | None] | None
    parts: Mapping[Key, Sequence[int]]

    @property
    def name(self) -> str:
        return self.table.name


def read_predictions(
    paths: Mapping[str, Path],
    truth: Path | None,
    *,
    id_column: str | None = None,
    common: bool = False,
    scorer: str | None = None,
) -> tuple[list[RunToScore], Predictions, list[str]]:
    """Runs, tables and notes from one file a role (ceiling may be missing). Raises UsageError with all that is wrong.

    Every file and seed must hold the truth's ids, all of them and no others; with `common`, those that all have are scored.
    """
    problems: list[str] = []
    files = [_file(role, read_answers(path, scorer, problems), id_column, problems) for role, path in paths.items()]
    known = None if truth is None else _file("truth", read_table(truth, problems), id_column, problems)
    given = [file for file in files if file is not None]
    if problems or len(given) < len(paths) or (truth is not None and known is None):
        raise UsageError(*problems)
    answer, groups = _truth(given, known, problems)
    if problems:
        raise UsageError(*problems)
    notes: list[str] = []
    ids = _shared_ids(given, answer, known.name if known else given[0].name, common, notes, problems)
    seeds = _shared_seeds(given, common, notes, problems)
    known_classes, off_list = _classes(given, answer, notes)
    classes = (*known_classes, *off_list)
    values = {file.role: class_probabilities(file.table, classes, _label(file.table), None, problems) for file in given}
    for file in given:
        blank = values[file.role]
        if blank is not None and np.isnan(blank).any():
            rows = np.flatnonzero(np.isnan(blank).any(axis=1)).tolist()
            problems.append(f"{file.name}, {file.table.where(rows)}: holds no prediction; fill it in")
    if problems:
        raise UsageError(*dict.fromkeys(problems))
    task = Path(truth).name.partition(".")[0] if truth is not None else "task"
    numbers = {name: place for place, name in enumerate(classes)}
    held = HeldOut(
        np.array(ids, dtype=np.str_),
        tuple(ids),
        np.array([numbers[answer[id_]] for id_ in ids]),
        np.array([groups.get(id_, id_) for id_ in ids], dtype=np.str_),
        classes,
        off_list=len(off_list),
    )
    asked, predicted = _runs(task, given, values, ids, seeds)
    notes += [
        f"{names} same predictions for all {len(seeds)} seeds: nothing is known of how much another training would differ"
        for role in paths
        if len(seeds) > 1 and (names := _repeated(role, asked, predicted))
    ]
    if len(seeds) == 1:
        notes.append("one seed: nothing is known of other seeds, and the intervals hold the test examples' noise alone")
    if not any("p_" + classes[0] in file.table.columns or classes[0] in file.table.columns for file in given):
        notes.append(
            "labels without probabilities count as certain: log loss, Brier score and calibration say little of them"
        )
    return asked, Predictions({task: held}, predicted), notes


def _file(role: str, table: Table | None, id_column: str | None, problems: list[str]) -> PredictionFile | None:
    if table is None:
        return None
    table = _spread(table, problems)
    column = id_column or next((name for name in IDS if name in table.columns), "id")
    if not table.has(column, "the ids (--id names another)", problems):
        return None
    if not table.words([column, "seed", "method", "label", "hard_label", *TRUTHS], problems):
        return None
    ids = [class_name(value) for value in table.columns[column]]
    blank = [row for row, id_ in enumerate(ids) if id_ is None]
    if blank:
        problems.append(f"{table.name}, {table.where(blank)}: has no {column}; every row needs one")
        return None
    parts: dict[Key, list[int]] = {}
    seeds, methods = _seeds(table, problems), table.columns.get("method")
    for row in range(len(table)):
        method = SEVERAL if methods is None or role != "student" else class_name(methods[row]) or SEVERAL
        parts.setdefault((method, None if seeds is None or role == "truth" else seeds[row]), []).append(row)
    names = [str(id_) for id_ in ids]
    known = next((name for name in TRUTHS if name in table.columns), None)
    if role == "truth":
        known = known or "label"
        if not table.has(known, "the true labels", problems):
            return None
    truth = None if known is None else [class_name(value) for value in table.columns[known]]
    for (method, seed), rows in parts.items() if role != "truth" else ():
        first: dict[str, int] = {}
        twice = next((row for row in rows if first.setdefault(names[row], row) != row), None)
        if twice is not None:
            which = "" if seed is None else f" for seed {seed}" + (f" of {method}" if methods is not None else "")
            missing = "" if seed is not None else "; several seeds need a column `seed`"
            places = table.where([first[names[twice]], twice])
            problems.append(f"{table.name}, {places}: id {names[twice]!r} is listed twice{which}{missing}")
    return PredictionFile(role, table, names, truth, parts)


def _spread(table: Table, problems: list[str]) -> Table:
    """A column `soft_label` of lists becomes one column a class, `p_0`, `p_1`, …"""
    lists = table.columns.get("soft_label")
    if lists is None or not all(isinstance(value, list) for value in lists):
        return table
    lengths = {len(value) for value in lists}
    if len(lengths) != 1:
        problems.append(f"{table.name}: the lists in soft_label differ in length; each needs a number a class")
        return table
    columns = {f"p_{place}": [value[place] for value in lists] for place in range(lengths.pop())}
    kept = {name: values for name, values in table.columns.items() if name not in ("soft_label", "hard_label", "label")}
    return replace(table, columns={**kept, **columns})


def _seeds(table: Table, problems: list[str]) -> list[int] | None:
    if "seed" not in table.columns:
        return None
    seeds: list[int] = []
    wrong: list[int] = []
    for row, value in enumerate(table.columns["seed"]):
        seed = whole_number(class_name(value))
        if seed is None:
            wrong.append(row)
        seeds.append(-1 if seed is None else seed)
    if wrong:
        problems.append(f"{table.name}, {table.where(wrong)}: a seed is a whole number")
    return seeds


def _label(table: Table) -> str | None:
    """The column of hard labels, where there are no probabilities; None: probabilities, or `label`."""
    return "hard_label" if "hard_label" in table.columns and "label" not in table.columns else None


def _truth(
    given: Sequence[PredictionFile], known: PredictionFile | None, problems: list[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Each id's true class and group, where all files that know agree."""
    sources = [file for file in (known, *given) if file is not None and file.truth is not None]
    if not sources:
        problems.append("score: no file holds the truth: give --truth, or a column `gt_label` in one of the others")
    answer: dict[str, str] = {}
    for place, file in enumerate(sources):
        mine: dict[str, str] = {}
        apart: list[str] = []
        for row, (id_, truth) in enumerate(zip(file.ids, file.truth or (), strict=True)):
            if truth is None:
                problems.append(
                    f"{file.name}, {file.table.where([row])}: has no true label; fill it in or leave it out"
                )
            elif mine.setdefault(id_, truth) != truth:
                problems.append(f"{file.name}: id {id_!r} has two true labels, {mine[id_]!r} and {truth!r}; keep one")
            elif answer.get(id_, truth) != truth and id_ not in apart:
                apart.append(id_)
        if apart:
            first = f"the first is {apart[0]!r}: {answer[apart[0]]!r} and {mine[apart[0]]!r}"
            names = f"{sources[0].name} and {file.name}"
            problems.append(f"{names} disagree on the truth of {len(apart)} ids, {first}; they are of different data")
        if place == 0 or known is None:
            answer.update({id_: truth for id_, truth in mine.items() if id_ not in answer})
    groups: dict[str, str] = {}
    if known is not None and "group" in known.table.columns:
        groups = {
            id_: str(group)
            for id_, group in zip(known.ids, known.table.columns["group"], strict=True)
            if group is not None
        }
    return answer, groups


def _shared_ids(
    given: Sequence[PredictionFile],
    answer: Mapping[str, str],
    reference: str,
    common: bool,
    notes: list[str],
    problems: list[str],
) -> list[str]:
    """The ids that are scored, in the truth's order."""
    kept = set(answer)
    for file in given:
        for (_, seed), rows in file.parts.items():
            there = {file.ids[row] for row in rows}
            which = "" if seed is None else f" for seed {seed}"
            if not there & set(answer):
                problems.append(
                    f"{file.name}: none of its {len(there)} ids{which} is in {reference}: here the first is "
                    f"{file.ids[rows[0]]!r}, there {next(iter(answer))!r}; --id names the column that both share"
                )
                break
            missing, unknown = sorted(set(answer) - there), sorted(there - set(answer))
            if (missing or unknown) and not common:
                parts = [f"{len(missing)} of the {len(answer)} ids of {reference} are missing"] if missing else []
                parts += [f"{len(unknown)} ids are not in {reference}"] if unknown else []
                first = (missing or unknown)[0]
                problems.append(
                    f"{file.name}: {' and '.join(parts)}{which}, the first is {first!r}; all models must answer the same "
                    "rows: correct it, or give --common to score the rows that all have"
                )
                break
            kept &= there
    if not problems and not kept:
        problems.append("score: no id is in all files")
    if common and len(kept) < len(answer):
        notes.append(f"{len(kept)} of {len(answer)} rows are in all files and were scored (--common)")
    return [id_ for id_ in answer if id_ in kept]


def _shared_seeds(given: Sequence[PredictionFile], common: bool, notes: list[str], problems: list[str]) -> list[int]:
    """The seeds that all files with seeds have, for every method."""
    have: dict[str, set[int]] = {}
    for file in given:
        for method, seed in file.parts:
            if seed is not None:
                several = len({name for name, _ in file.parts}) > 1
                have.setdefault(f"{file.name}{f' ({method})' if several else ''}", set()).add(seed)
    if not have:
        return [0]
    everything, shared = set.union(*have.values()), set.intersection(*have.values())
    for name, seeds in have.items():
        missing = sorted(everything - seeds)
        if missing and not common:
            owner = next(other for other, theirs in have.items() if missing[0] in theirs)
            listed = ", ".join(map(str, missing))
            problems.append(
                f"{name}: has no seed {listed}, which {owner} has; add it, or give --common to score the seeds that all have"
            )
    if common and not shared:
        problems.append("score: no seed is in all files")
    if common and len(shared) < len(everything):
        notes.append(f"{len(shared)} of {len(everything)} seeds are in all files and were scored (--common)")
    return sorted(shared)


def _classes(
    given: Sequence[PredictionFile], answer: Mapping[str, str], notes: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names in the truth and of columns p_<class>; and those that only answers have, which are wrong everywhere."""
    found = set(answer.values())
    for file in given:
        found |= {name.removeprefix("p_") for name in file.table.columns if name.startswith("p_")}
    others: set[str] = set()
    for file in given:
        column = file.table.columns.get(_label(file.table) or "label", ())
        off_list = [name for value in column if (name := class_name(value)) is not None and name not in found]
        if off_list:
            notes.append(
                f"{plural(len(off_list), 'answer')} in {file.name}, such as {off_list[0]!r}, "
                f"{'is' if len(off_list) == 1 else 'are'} none of the classes of the truth: wrong wherever they stand"
            )
        others |= set(off_list)
    return sorted_classes(found), sorted_classes(others)


def _repeated(role: str, asked: Sequence[RunToScore], predicted: Mapping[ModelKey, Floats]) -> str:
    """Who says the same for all seeds, as the beginning of a sentence; "" where nobody does."""
    by_method: dict[str, list[Floats]] = {}
    for run in asked:
        if (key := run.models[role]) is not None:
            by_method.setdefault(run.method.written if role == "student" else "", []).append(predicted[key])
    alike = [
        name for name, all_seeds in by_method.items() if all(np.array_equal(all_seeds[0], one) for one in all_seeds)
    ]
    if not alike:
        return ""
    return (
        f"the {role} has the" if alike == [""] or len(by_method) == 1 else f"the {role} by {', '.join(alike)} has the"
    )


def _runs(
    task: str,
    given: Sequence[PredictionFile],
    values: Mapping[str, Floats | None],
    ids: Sequence[str],
    seeds: Sequence[int],
) -> tuple[list[RunToScore], dict[ModelKey, Floats]]:
    by_role = {file.role: file for file in given}
    names = {role: Path(by_role[role].name).name.partition(".")[0] for role in by_role}
    weak, strong = Entry(names["weak"], names["weak"]), Entry(names["student"], names["student"])
    predicted: dict[ModelKey, Floats] = {}
    asked: list[RunToScore] = []
    for method in dict.fromkeys(method for method, _ in by_role["student"].parts):
        for seed in seeds:
            models: dict[str, ModelKey | None] = dict.fromkeys(ROLES)
            for role, file in by_role.items():
                model = {
                    "weak": ModelKey(task, role, weak.name, None, None, seed),
                    "student": ModelKey(task, role, weak.name, strong.name, method, seed),
                    "ceiling": ModelKey(task, role, None, strong.name, None, seed),
                }[role]
                rows = file.parts.get((method if role == "student" else SEVERAL, seed))
                if rows is None:
                    rows = file.parts[method if role == "student" else SEVERAL, None]
                place = {file.ids[row]: row for row in rows}
                table = values[role]
                assert table is not None  # what is wrong with it was reported
                predicted[model] = table[[place[id_] for id_ in ids]].astype(np.float32)
                models[role] = model
            asked.append(RunToScore(task, weak, strong, Entry(method, method), seed, models, {}))
    return asked, predicted
