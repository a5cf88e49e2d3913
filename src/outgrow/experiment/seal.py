"""An experiment's task as a sealed evaluation: inputs with weak labels to train on, and the truth to score by."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.core.inputs.input_type import TEXT
from outgrow.core.pool import Pool
from outgrow.execution.execute import execute
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Display
from outgrow.execution.step import Step
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.experiment.planning.plan import Plan, Run
from outgrow.experiment.spec.schema import Experiment
from outgrow.results.sealed.attempts import Threshold
from outgrow.results.sealed.envelope import Envelope


def seal(
    experiment: Experiment,
    store: Store,
    out: Path,
    key: Path,
    machine: Machine,
    display: Display | None = None,
    *,
    rule: Threshold | None = None,
    salt: str | None = None,
) -> str:
    """Train supervisors and ceilings, write both folders, return the sealed part's hash.

    The salt orders and names test inputs; it is drawn from the system unless given, and stays in the sealed part.
    Raises UsageError where the experiment is not one cell of texts with the truth, or a folder is there already.
    """
    several = [name for name in ("tasks", "weak", "strong", "methods") if len(getattr(experiment, name)) != 1]
    problems = [f"{experiment.name}: {name} holds several; a sealed evaluation is of one" for name in several]
    problems += [f"{place}: is there already; name a new folder" for place in (out, key) if place.exists()]
    if key.resolve().is_relative_to(out.resolve()) or out.resolve().is_relative_to(key.resolve()):
        problems.append(f"{key} and {out}: one lies in the other; the sealed part is given to nobody")
    if problems:
        raise UsageError(*problems)
    planned = prepare(experiment, store, machine, display)
    runs = planned.runs
    _fit(planned)
    steps = [step for run in runs for step in (run.pool, run.split, run.supervisor, run.ceiling) if step is not None]
    execute(list(dict.fromkeys(steps)), store, machine, planned.sources, display)
    salt = secrets.token_hex(32) if salt is None else salt
    pool = Pool.load(_opened(store, runs[0].pool))
    if pool.input_type.name != TEXT.name or pool.allowed is not None:
        raise UsageError(f"{experiment.name}: only texts with the same classes in every row can be sealed")
    envelope, order = _envelope(store, runs, pool, salt, rule or Threshold())
    transfer = _transfer(store, runs, pool, salt)
    test = [{"id": id_, "input": pool.inputs[row]} for id_, row in zip(envelope.ids, order.tolist(), strict=True)]
    with disk.sentences(out, "the folder", "--out"):
        for folder in (out, key):
            folder.mkdir(parents=True)
        envelope.write(key)
        _write(out / "transfer.parquet", transfer)
        _write(out / "test.parquet", test)
        (out / "README.md").write_text(_instructions(envelope, len(transfer)), encoding="utf-8")
        manifest = {
            "schema": 1,
            "task": runs[0].task,
            "classes": list(envelope.classes),
            "seeds": list(envelope.seeds),
            "test_inputs": len(test),
            "answers": {"seed": "whole number", "id": "of test.parquet", "label": "one of the classes"},
            "sealed_sha256": envelope.hash,
        }
        (out / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return envelope.hash


def _fit(planned: Plan) -> None:
    run = planned.runs[0]
    if run.ceiling is None:
        raise UsageError(
            f"{run.task}: has no ceiling, so no PGR: the truth on transfer and a student that learns are needed"
        )
    if run.weak.partial:
        raise UsageError(f"{run.task}: {run.weak.name} leaves rows out; a sealed evaluation needs its answers to all")


def _name(salt: str, what: str, id_: str) -> str:
    """A row's name outside: by a keyed hash, which tells nothing of the row and orders rows at random."""
    return hashlib.sha256(f"{salt}\n{what}\n{id_}".encode()).hexdigest()[:16]


def _envelope(
    store: Store, runs: tuple[Run, ...], pool: Pool, salt: str, rule: Threshold
) -> tuple[Envelope, np.ndarray[Any, np.dtype[np.int64]]]:
    rows = np.flatnonzero(pool.test)
    names = [_name(salt, "test", pool.ids[row]) for row in rows.tolist()]
    order = rows[np.argsort(names)].astype(np.int64)
    groups, truth = pool.groups[order], pool.labels[order]
    # Whole groups, in an order that only the salt knows, until half of the rows are held.
    sizes = dict(zip(*np.unique(groups, return_counts=True), strict=True))
    held: set[str] = set()
    count = 0
    for group in sorted(sizes, key=lambda group: _name(salt, "half", group)):
        if count + sizes[group] / 2 <= len(order) / 2:
            held.add(group)
            count += int(sizes[group])

    def right(step: Step) -> Any:
        predicted = np.load(_opened(store, step) / "probabilities.npy")[order]
        return predicted.argmax(axis=1) == truth

    ceilings = [run.ceiling for run in runs if run.ceiling is not None]
    return (
        Envelope(
            salt,
            {"task": runs[0].task, "weak": runs[0].weak.name, "strong": runs[0].strong.name},
            pool.classes,
            tuple(run.seed for run in runs),
            tuple(sorted(names)),
            truth.astype(np.int64),
            np.array([_name(salt, "group", group) for group in groups.tolist()]),
            np.array([group in held for group in groups.tolist()]),
            np.array([right(run.supervisor) for run in runs], dtype=np.float64),
            np.array([right(step) for step in ceilings], dtype=np.float64),
            rule,
        ),
        order,
    )


def _transfer(store: Store, runs: tuple[Run, ...], pool: Pool, salt: str) -> list[dict[str, Any]]:
    made = []
    for run in runs:
        rows = np.load(_opened(store, run.split) / "transfer.npy")
        weak = np.load(_opened(store, run.supervisor) / "probabilities.npy")
        named = sorted((_name(salt, "transfer", pool.ids[row]), row) for row in rows.tolist())
        made += [
            {
                "seed": run.seed,
                "id": name,
                "input": pool.inputs[row],
                "label": pool.classes[int(weak[row].argmax())],
                **{f"p_{cls}": float(p) for cls, p in zip(pool.classes, weak[row], strict=True)},
            }
            for name, row in named
        ]
    return made


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")


def _opened(store: Store, step: Step) -> Path:
    folder = store.open(step.key)
    if folder is None:
        raise OutgrowError(f"{step.label}: its result is gone from {store.root}; run the same command again")
    return folder


def _instructions(envelope: Envelope, rows: int) -> str:
    classes = ", ".join(f"`{name}`" for name in envelope.classes)
    seeds = ", ".join(map(str, envelope.seeds))
    return f"""# A sealed weak-to-strong task

Train a student on weak labels; answer the test inputs. Their true labels are not here.

- `transfer.parquet`: {rows} rows: `seed`, `id`, `input`, the weak supervisor's `label` and its probabilities `p_<class>`.
  Each seed ({seeds}) has rows and a supervisor of its own: train one student a seed, on that seed's rows alone.
- `test.parquet`: {len(envelope.ids)} rows: `id`, `input`.

Hand back one table (Parquet, CSV or JSONL) with a row for each seed and test input, in any order: `seed`, `id`, `label`.
The classes are {classes}. Each submission is counted, and what is reported is corrected for their number.

The sealed part has the SHA-256 `{envelope.hash}`.
"""
