"""Methods in a run: what labels a student gets, from whom, and that no model labels rows that it learned from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgrow.core.errors import UsageError
from outgrow.core.pool import Pool
from outgrow.execution.machine import Machine
from outgrow.execution.step import Step, walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare, run
from outgrow.experiment.planning.plan import Plan
from outgrow.experiment.spec.schema import Experiment
from outgrow.experiment.steps.job_files import fold_of
from outgrow.results.run_results import Results

CHAIN = {"bootstrap": {"through": ["static:wordllama", "static:wordllama"]}}
GRID = {"confidence": {"alpha": [0.0, 0.5, 0.9]}}
METHODS: list[Any] = [
    "naive", "harden", {"filter": {"by": "logistic"}}, "self_train", {"self_train": {"rounds": 2}}, CHAIN,
    {"bootstrap": {"through": ["static:wordllama"], "fresh": False}}, "early_stop", {"early_stop": {"on": "truth"}},
    GRID, {"confidence": {"alpha": [0.0, 0.5, 0.9], "select_on": "truth"}}, ["harden", "entropy", "self_train"],
]  # fmt: skip


def asked(**changes: Any) -> Experiment:
    return Experiment(
        **{
            "name": "x",
            "tasks": ["sentiment"],
            "weak": [{"static": "wordllama", "rows": 60}],
            "strong": ["static:wordllama"],
            "methods": METHODS,
            "seeds": [0],
            "split": {"weak_train": 100, "transfer": 200, "validation": 100, "test": 300},
            **changes,
        }
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Store, Results]:
    folder = tmp_path_factory.mktemp("procedures")
    store = Store(folder / "store")
    results = run(asked(), store=store, out=folder / "out", machine=Machine(threads=1))
    return prepare(asked(), store, Machine()), store, results


def said(store: Store, step: Step) -> np.ndarray:
    return np.load(store.folder(step.key) / "probabilities.npy")


def student(plan: Plan, written: Any) -> Step:
    return next(run.student for run in plan.runs if run.method.written == written)


def learned_rows(store: Store, head: Step) -> np.ndarray:
    rows = np.load(store.folder(head.parents["split"].key) / f"{head.params['part']}.npy")
    if "fold" in head.params:
        rows = fold_of(rows, Pool.load(store.folder(head.parents["pool"].key)).groups, *head.params["fold"])
    return rows


def test_no_model_of_a_chain_labels_rows_that_it_learned_from(done: tuple[Plan, Store, Results]) -> None:
    plan, store, _ = done
    chain = [student(plan, CHAIN)]
    while chain[-1].parents["weak_labels"].params["part"] == "transfer":
        chain.append(chain[-1].parents["weak_labels"])
    assert len(chain) == 3
    rows = [learned_rows(store, head) for head in chain]
    transfer = np.load(store.folder(chain[0].parents["split"].key) / "transfer.npy")
    assert sorted(np.concatenate(rows).tolist()) == sorted(transfer.tolist())  # disjoint, and nothing is lost
    supervisor = chain[-1].parents["weak_labels"]
    assert not set(learned_rows(store, supervisor)) & set(transfer)
    [told] = [row for row in done[2].runs if row["method"] == CHAIN]
    assert told["n_learned"] == len(rows[0]) < told["n_transfer"] == 200


def test_the_rows_of_a_group_are_in_one_fold() -> None:
    groups = np.array([f"group {n}" for n in np.random.default_rng(0).integers(0, 12, 100)])
    rows = np.random.default_rng(1).permutation(100)[:80]
    parts = [fold_of(rows, groups, place, 3) for place in range(3)]
    assert sorted(np.concatenate(parts)) == sorted(rows)
    assert not set(groups[parts[0]]) & set(groups[parts[1]])
    assert fold_of(rows, groups, 0, 1).tolist() == rows.tolist()


def test_a_chain_that_is_not_fresh_learns_from_all_of_transfer(done: tuple[Plan, Store, Results]) -> None:
    last = student(done[0], {"bootstrap": {"through": ["static:wordllama"], "fresh": False}})
    between = last.parents["weak_labels"]
    assert learned_rows(done[1], last).tolist() == learned_rows(done[1], between).tolist()
    assert len(learned_rows(done[1], last)) == 200


def test_intermediate_students_are_ordinary_steps_and_shared(done: tuple[Plan, Store, Results]) -> None:
    plan = done[0]
    naive, once, twice = (student(plan, one) for one in ("naive", "self_train", {"self_train": {"rounds": 2}}))
    assert once.parents["weak_labels"] == naive
    assert twice.parents["weak_labels"] == once
    heads = [step for step in walk(plan.wanted) if step.kind == "head"]
    assert len(heads) == len({step.key for step in heads})


def test_the_labels_part_changes_transfer_alone_and_knows_no_truth(done: tuple[Plan, Store, Results]) -> None:
    plan, store, _ = done
    for written in ("harden", {"filter": {"by": "logistic"}}):
        head = student(plan, written)
        labels = head.parents["weak_labels"]
        before, after = said(store, labels.parents["weak_labels"]), said(store, labels)
        transfer = np.load(store.folder(head.parents["split"].key) / "transfer.npy")
        others = np.setdiff1d(np.arange(len(before)), transfer)
        np.testing.assert_array_equal(before[others], after[others])
        assert (np.isnan(after[transfer]) | (after[transfer] != before[transfer])).any()
    facts = json.loads((store.folder(labels.key) / "facts.json").read_text())
    assert facts["kept"] == int((~np.isnan(after[transfer]).any(axis=1)).sum()) < 200
    [told] = [row for row in done[2].runs if row["method"] == {"filter": {"by": "logistic"}}]
    assert told["n_learned"] == facts["kept"]


def loss(p: np.ndarray, target: np.ndarray) -> float:
    return float(-(target * np.log(np.maximum(p, 1e-12))).sum(axis=1).mean())


@pytest.mark.parametrize("on", ["weak", "truth"])
def test_early_stopping_takes_the_best_point_of_one_training(done: tuple[Plan, Store, Results], on: str) -> None:
    plan, store, results = done
    written = "early_stop" if on == "weak" else {"early_stop": {"on": "truth"}}
    chosen = student(plan, written)
    points = [step for role, step in sorted(chosen.parents.items()) if role.startswith("candidate_")]
    assert points[-1] == student(plan, "naive")  # the whole training
    assert [step.params.get("stop", 1.0) for step in points] == pytest.approx([n / 10 for n in range(1, 11)])
    rows = np.load(store.folder(chosen.parents["split"].key) / "validation.npy")
    pool = Pool.load(store.folder(chosen.parents["pool"].key))
    target = said(store, plan.runs[0].supervisor)[rows] if on == "weak" else np.eye(2)[pool.labels[rows]]
    losses = [loss(said(store, step)[rows], target) for step in points]
    best = int(np.argmin(losses))
    np.testing.assert_array_equal(said(store, chosen), said(store, points[best]))
    [told] = [row for row in results.runs if row["method"] == written]
    assert told["stopped_at"] == pytest.approx((best + 1) / 10)


@pytest.mark.parametrize("on", ["weak", "truth"])
def test_a_grid_takes_what_agrees_best_on_validation_and_says_so(done: tuple[Plan, Store, Results], on: str) -> None:
    plan, store, results = done
    written = GRID if on == "weak" else {"confidence": {**GRID["confidence"], "select_on": "truth"}}
    chosen = student(plan, written)
    tried = [step for role, step in sorted(chosen.parents.items()) if role.startswith("candidate_")]
    np.testing.assert_allclose(said(store, tried[0]), said(store, student(plan, "naive")))  # a = 0
    rows = np.load(store.folder(chosen.parents["split"].key) / "validation.npy")
    pool = Pool.load(store.folder(chosen.parents["pool"].key))
    hard = said(store, plan.runs[0].supervisor)[rows].argmax(1) if on == "weak" else pool.labels[rows]
    right = [float((said(store, step)[rows].argmax(1) == hard).mean()) for step in tried]
    facts = json.loads((store.folder(chosen.key) / "facts.json").read_text())
    assert facts["accuracies"] == pytest.approx(right)
    assert right[facts["chosen"]] == max(right)
    [told] = [row for row in results.runs if row["method"] == written]
    assert told["methods_tried"] == 3
    assert told["chosen_method"] == f"confidence alpha={[0.0, 0.5, 0.9][facts['chosen']]}"
    assert told["method_chosen_by"] == ("weak labels" if on == "weak" else "the truth (oracle)")


def test_a_method_changes_no_key_of_another(done: tuple[Plan, Store, Results], tmp_path: Path) -> None:
    alone = prepare(asked(methods=["naive"]), Store(tmp_path / "store"), Machine())
    assert student(alone, "naive").key == student(done[0], "naive").key
    assert alone.runs[0].ceiling == done[0].runs[0].ceiling


def test_supervisors_made_of_others(tmp_path: Path) -> None:
    voters = [{"static": "wordllama", "rows": rows} for rows in (40, 60, 80)]
    simulated = [{"simulate": {"accuracy": 0.75, "errors": "hard", "by": "static:wordllama"}}]
    joins = [voters, *({"join": voters, "by": by} for by in ("majority", "dawid_skene"))]
    experiment = asked(weak=[*voters, *joins, *simulated], methods=["naive"])
    store = Store(tmp_path / "store")
    results = run(experiment, store=store, out=tmp_path / "out", machine=Machine(threads=1))
    plan = prepare(experiment, store, Machine())
    supervisors = [one.supervisor for one in plan.runs]
    mean = np.mean([said(store, step) for step in supervisors[:3]], axis=0)
    np.testing.assert_allclose(said(store, supervisors[3]), mean, atol=1e-6)
    assert [step.kind for step in supervisors[3:]] == ["join", "join", "join", "simulate"]
    assert {f"voter_0{n}": supervisors[n] for n in range(3)}.items() <= supervisors[3].parents.items()
    assert results.runs[-1]["weak_label_accuracy"] == pytest.approx(0.75)
    assert results.runs[-1]["weak_accuracy"] == pytest.approx(0.75)


def test_given_labels_that_leave_rows_out_stay_so_through_a_procedure(tmp_path: Path) -> None:
    texts = [
        f"the {noun} number {n} was {word}" for n in range(40) for noun in ("film", "meal") for word in ("good", "bad")
    ]
    rows = "".join(f"{text},{'pos' if text.endswith('good') else 'neg'}\n" for text in texts)
    (tmp_path / "all.csv").write_text(f"text,label\n{rows}")
    (tmp_path / "some.csv").write_text("text,label\n" + "".join(rows.splitlines(keepends=True)[::2]))
    task = {"file": str(tmp_path / "all.csv"), "text": "text", "label": "label"}
    weak = [{"given": str(tmp_path / "some.csv")}, [{"given": str(tmp_path / "some.csv")}, "static:wordllama"]]
    split = {"weak_train": 30, "transfer": 80, "validation": 20, "test": 20}
    experiment = asked(tasks=[task], weak=weak, methods=["self_train"], split=split)
    store = Store(tmp_path / "store")
    run(experiment, store=store, out=tmp_path / "out", machine=Machine(threads=1))
    for planned in prepare(experiment, store, Machine()).runs:
        assert planned.ceiling is not None
        assert planned.student.parents["covered_by"] == planned.supervisor == planned.ceiling.parents["covered_by"]


def test_a_model_without_features_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from pydantic import BaseModel\n\n\nclass Mine(BaseModel):\n    def fit(self, examples, targets, objective, seed):\n"
        "        return self\n\n    def predict(self, examples):\n        return [[0.5, 0.5]] * len(examples)\n"
    )
    with pytest.raises(UsageError) as caught:
        asked(strong=[f"{tmp_path / 'mine.py'}:Mine"], methods=["relabel", "early_stop"])
    assert "relabel looks at the student's features" in caught.value.problems[0]
    assert "early_stop stops training on its way" in caught.value.problems[1]
