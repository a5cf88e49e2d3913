"""A run folder's tables: what every model predicts for every test example, and what those examples are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgrow.core.answers import Allowed, Answers
from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats, Ints, Labels, Strings
from outgrow.core.files.sums import check_sums
from outgrow.core.identity import canonical_json
from outgrow.core.inputs.input_type import TEXT, Preview
from outgrow.results.run_content import AGAIN, NOT_WHOLE

SUM = 2e-3  # how far from one the stored probabilities of a row may sum to


OWN = "test"  # the test set that a task's own test rows are


class ModelKey(NamedTuple):
    """Whose predictions they are: the names that make up a run, None where they play no part."""

    task: str
    role: str  # weak, student or ceiling
    weak: str | None
    strong: str | None
    method: str | None
    seed: int
    test_set: str = OWN


def ceilings_of(task: str, role: str, names: tuple[str, str, str], seed: int) -> list[ModelKey]:
    """The ceilings that a supervisor, student and method may have, its own first; the one that there is counts.

    One of rows that somebody's labels cover belongs to that supervisor, one that is trained by a method's procedure to that
    method; any other serves all.
    """
    weak, strong, method = names
    return [ModelKey(task, role, whose, strong, how, seed) for how in (method, None) for whose in (weak, None)]


NAMES = tuple(name for name in ModelKey._fields if name != "seed")  # columns of words


@dataclass(frozen=True)
class HeldOut:
    """A task's test examples: ids, what people see of the inputs, true class numbers and groups, `[n]` each."""

    ids: Strings
    inputs: tuple[Preview, ...]
    truth: Ints
    groups: Strings
    classes: tuple[str, ...]
    input_type: str = TEXT.name
    allowed: Allowed | None = None  # [n, classes] the classes that a row can have; None: all, in every row
    off_list: int = 0  # how many of the last classes are answers that no row can have, such as "unsure"

    def part(self, rows: NDArray[np.bool_]) -> HeldOut:
        """Some of the examples, `[n]` true where one is kept."""
        inputs = tuple(self.inputs[row] for row in np.flatnonzero(rows).tolist())
        allowed = None if self.allowed is None else self.allowed[rows]
        return HeldOut(
            self.ids[rows], inputs, self.truth[rows], self.groups[rows], self.classes, self.input_type, allowed
        )

    @property
    def strata(self) -> Ints | None:
        """Which rows allow the same classes, by number `[n]`; None where all do."""
        if self.allowed is None:
            return None
        return np.asarray(np.unique(self.allowed, axis=0, return_inverse=True)[1]).reshape(-1)

    @property
    def alternatives(self) -> float:
        """The number of classes of a row; where rows differ, that of which a random wrong answer is right as often."""
        if self.allowed is None:
            return max(len(self.classes) - self.off_list, 2)  # a truth of one class alone: its answers have two
        return 1 + 1 / float((1 / np.maximum(self.allowed.sum(axis=1) - 1, 1)).mean())


@dataclass(frozen=True)
class Predictions:
    """Test sets by task, and probabilities `[n, classes]` by model, in the order of the task's test ids.

    curves: of those that were finetuned, ten points each: progress, test_accuracy, weak_agreement, loss.
    """

    tests: Mapping[str, HeldOut]
    probabilities: Mapping[ModelKey, Floats]
    curves: Mapping[ModelKey, Sequence[Mapping[str, float | None]]] = field(default_factory=dict)
    further: Mapping[tuple[str, str], HeldOut] = field(
        default_factory=dict
    )  # (task, test set): those beside the task's own

    def test(self, task: str, test_set: str = OWN) -> HeldOut:
        """The examples of one of a task's test sets."""
        return self.tests[task] if test_set == OWN else self.further[task, test_set]

    @property
    def sets(self) -> dict[tuple[str, str], HeldOut]:
        """All test sets by task and name."""
        return {**{(task, OWN): test for task, test in self.tests.items()}, **self.further}

    def hard(self, key: ModelKey) -> Ints | None:
        """The classes that a model predicts, `[n]`; None where it leaves any test example out."""
        answers = self.answers(key)
        return answers.hard if answers.complete else None

    def answers(self, key: ModelKey) -> Answers:
        """What a model answers to its test examples, as metrics read it."""
        test = self.test(key.task, key.test_set)
        return Answers(test.ids, self.probabilities[key], test.allowed)

    def write(self, folder: Path) -> None:
        """Write `examples.parquet`, `predictions.parquet`, and where there are curves `curves.parquet`.

        docs/reference/formats.md lists their columns.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        examples = [_examples(*names, test) for names, test in self.sets.items()]
        pq.write_table(pa.concat_tables(examples).unify_dictionaries(), folder / "examples.parquet", compression="zstd")
        # One row group per model: a reader takes one at a time, whatever the number of runs.
        parts = (
            _rows(key, self.test(key.task, key.test_set).ids, values) for key, values in self.probabilities.items()
        )
        first = next(parts)
        with pq.ParquetWriter(folder / "predictions.parquet", first.schema, compression="zstd") as writer:
            writer.write_table(first)
            for part in parts:
                writer.write_table(part)
        if self.curves:
            pq.write_table(_points(self.curves), folder / "curves.parquet", compression="zstd")

    @classmethod
    def read(cls, folder: Path) -> Predictions:
        """Read what `write` wrote. Raises OutgrowError where a file is missing or damaged, or the two do not fit."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for name in ("examples.parquet", "predictions.parquet"):
            if not (folder / name).is_file():
                raise OutgrowError(f"{folder}: is not a run folder, {name} is missing")
        check_sums(folder, ("examples.parquet", "predictions.parquet", "curves.parquet"), NOT_WHOLE, AGAIN)
        try:
            examples = pq.ParquetFile(folder / "examples.parquet").read()
            tests = {names: _test_set(examples, *names) for names in _sets(examples)}
            with pq.ParquetFile(folder / "predictions.parquet") as file:
                in_order = {names: pa.array(test.ids.tolist(), pa.string()) for names, test in tests.items()}
                groups = (file.read_row_group(number) for number in range(file.num_row_groups))
                by_model = dict(_by_model(table, tests, in_order) for table in groups)
            curves = folder / "curves.parquet"
            points = _curves(pq.ParquetFile(curves).read()) if curves.is_file() else {}
        except OutgrowError as error:
            raise OutgrowError(f"{folder}: {NOT_WHOLE}: {error}; {AGAIN}") from None
        except (pa.ArrowException, LookupError, ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
            raise OutgrowError(f"{folder}: {NOT_WHOLE}: a table of it is damaged; {AGAIN}") from error
        for (task, _), test in tests.items():
            if len(set(test.classes)) < 2 or ((test.truth < 0) | (test.truth >= len(test.classes))).any():
                raise OutgrowError(f"{folder}: {NOT_WHOLE}: true labels of {task} are not among its classes; {AGAIN}")
            if len(set(test.ids.tolist())) < len(test.ids):
                raise OutgrowError(f"{folder}: {NOT_WHOLE}: {task} holds a test row twice; {AGAIN}")
        for key, values in by_model.items():
            known = values[~np.isnan(values).all(axis=1)]
            if not (np.isfinite(known).all() and (known >= 0).all() and (np.abs(known.sum(axis=1) - 1) < SUM).all()):
                raise OutgrowError(
                    f"{folder}: {NOT_WHOLE}: probabilities of {key.task}, {key.role} are not probabilities; {AGAIN}"
                )
        own = {task: test for (task, name), test in tests.items() if name == OWN}
        return cls(own, by_model, points, {names: test for names, test in tests.items() if names[1] != OWN})


def _words(values: list[str | None]) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.string()).dictionary_encode()


def _examples(task: str, test_set: str, test: HeldOut) -> Any:
    import pyarrow as pa

    n = len(test.ids)
    # A text as it is; what other types show as JSON, so that a folder is read without their code.
    inputs = test.inputs if test.input_type == TEXT.name else [canonical_json(shown) for shown in test.inputs]
    return pa.table(
        {
            "task": _words([task] * n),
            "test_set": _words([test_set] * n),
            "id": pa.array(test.ids.tolist(), pa.string()),
            "input_type": _words([test.input_type] * n),
            "input": pa.array(inputs, pa.large_string()),
            "truth": pa.array(test.truth, pa.int32()),
            "group": pa.array(test.groups.tolist(), pa.string()),
            "classes": pa.array([list(test.classes)] * n, pa.list_(pa.string())),
            "allowed": pa.array([None] * n if test.allowed is None else test.allowed.tolist(), pa.list_(pa.bool_())),
        }
    )


def _rows(key: ModelKey, ids: Strings, probabilities: Floats) -> Any:
    import pyarrow as pa

    n, classes = probabilities.shape
    flat = pa.array(probabilities.astype(np.float32).ravel(), pa.float32())
    offsets = pa.array(np.arange(0, n * classes + 1, classes), pa.int32())
    return pa.table(
        {
            **{name: _words([getattr(key, name)] * n) for name in NAMES},
            "seed": pa.array(np.full(n, key.seed), pa.int64()),
            "id": pa.array(ids.tolist(), pa.string()),
            "probabilities": pa.ListArray.from_arrays(offsets, flat),
        }
    )


def _by_model(
    table: Any, tests: Mapping[tuple[str, str], HeldOut], in_order: Mapping[tuple[str, str], Any]
) -> tuple[ModelKey, Floats]:
    key = ModelKey(**{name: table[name][0].as_py() for name in ModelKey._fields if name in table.column_names})
    test = tests[key.task, key.test_set]
    flat = table["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    values = flat.reshape(table.num_rows, len(test.classes))
    if table["id"].combine_chunks().equals(in_order[key.task, key.test_set]):  # as we write them: nothing to look up
        return key, values
    ids = np.array(table["id"].to_pylist(), dtype=np.str_)
    return key, Labels(ids, values).align(test.ids).probabilities


def _points(curves: Mapping[ModelKey, Sequence[Mapping[str, float | None]]]) -> Any:
    """One row a point: whose curve, and the point; NaN-free, null where a value is not known."""
    import pyarrow as pa

    names = ("progress", "test_accuracy", "weak_agreement", "loss")
    points = [(key, point) for key, curve in curves.items() for point in curve]
    who = {name: _words([getattr(key, name) for key, _ in points]) for name in NAMES}
    seeds = pa.array([key.seed for key, _ in points], pa.int64())
    values = {name: pa.array([point[name] for _, point in points], pa.float64()) for name in names}
    return pa.table({**who, "seed": seeds, **values})


def _curves(table: Any) -> dict[ModelKey, list[dict[str, float | None]]]:
    curves: dict[ModelKey, list[dict[str, float | None]]] = {}
    for row in table.to_pylist():
        key = ModelKey(**{name: row.pop(name) for name in ModelKey._fields if name in row})
        curves.setdefault(key, []).append(row)
    return curves


def _sets(examples: Any) -> list[tuple[str, str]]:
    """Task and test set of all examples; a run before there were further test sets has the tasks' own alone."""
    tasks = examples["task"].to_pylist()
    named = examples["test_set"].to_pylist() if "test_set" in examples.column_names else [OWN] * len(tasks)
    return list(dict.fromkeys(zip(tasks, named, strict=True)))


def _test_set(examples: Any, task: str, test_set: str) -> HeldOut:
    import pyarrow.compute as pc

    rows = examples.filter(pc.equal(examples["task"], task))
    if "test_set" in rows.column_names:
        rows = rows.filter(pc.equal(rows["test_set"], test_set))
    ids, groups = (np.array(rows[name].to_pylist(), dtype=np.str_) for name in ("id", "group"))
    truth = rows["truth"].to_numpy().astype(np.int64)
    inputs, classes = rows["input"].to_pylist(), tuple(rows["classes"][0].as_py())
    if "input_type" not in rows.column_names:  # of a run before there were other types
        return HeldOut(ids, tuple(inputs), truth, groups, classes)
    kind, allowed = rows["input_type"][0].as_py(), rows["allowed"].to_pylist()
    shown = inputs if kind == TEXT.name else [json.loads(one) for one in inputs]
    ragged = None if allowed[0] is None else np.array(allowed, dtype=np.bool_)
    return HeldOut(ids, tuple(shown), truth, groups, classes, kind, ragged)
