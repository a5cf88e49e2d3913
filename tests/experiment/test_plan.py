"""Steps and their keys: the same for what is the same, another for what may differ, and golden ones that must not move."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from outgrow.core.errors import OutgrowError
from outgrow.core.identity import canonical_json
from outgrow.core.pool import Pool
from outgrow.core.registry import names
from outgrow.execution.machine import Machine
from outgrow.execution.step import Step, walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.experiment.planning.plan import Plan
from outgrow.experiment.planning.training import training_step
from outgrow.experiment.spec.model_entries import model_spec
from outgrow.experiment.spec.schema import Experiment
from outgrow.experiment.steps.data import split_step
from outgrow.experiment.steps.models import heads
from outgrow.experiment.steps.training_request import NAIVE, TRUTH, TaskPlan
from outgrow.models.checkpoints.locate import resolve

HERE = Path(__file__).parent
TEXTS = [
    f"the {noun} number {i} was {word}" for i in range(30) for noun in ("film", "meal") for word in ("good", "bad")
]


def table(folder: Path, name: str = "reviews.csv", extra: str = "") -> Path:
    rows = "".join(f"{text},{'pos' if text.endswith('good') else 'neg'}\n" for text in TEXTS)
    (folder / name).write_text(f"sentence,label\n{rows}{extra}")
    return folder / name


def asked(folder: Path, **changes: Any) -> Experiment:
    return Experiment(
        **{
            "name": "x",
            "tasks": [{"file": str(folder / "reviews.csv"), "text": "sentence", "label": "label"}],
            "weak": [{"static": "wordllama", "rows": 10}, "static:wordllama"],
            "strong": ["probe:minilm"],
            "methods": ["naive", "confidence"],
            "seeds": [0, 1],
            "split": {"weak_train": 30, "transfer": 40, "validation": 10, "test": 20},
            **changes,
        }
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table(tmp_path)
    return tmp_path


def planned(folder: Path, experiment: Experiment | None = None, machine: Machine | None = None) -> Plan:
    return prepare(experiment or asked(folder), Store(folder / "store"), machine or Machine())


def keys(plan: Plan) -> set[str]:
    return {step.key for step in walk(plan.wanted)}


def cells(plan: Plan) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {
        (run.task, run.weak.name, run.strong.name, run.method.name, str(run.seed)): (
            run.supervisor.key,
            run.student.key,
            run.ceiling.key if run.ceiling else "",
        )
        for run in plan.runs
    }


def test_golden_keys(folder: Path) -> None:
    """Keys of this version. One that moves throws users' work away: raise the kind's version and say so in CHANGELOG."""
    found = {f"{step.kind}: {step.label}": step.key[:16] for step in walk(planned(folder).wanted)}
    golden = HERE / "golden_keys.json"
    assert found == json.loads(golden.read_text())


def test_a_training_is_planned_without_an_experiment(folder: Path) -> None:
    run = planned(folder).runs[0]
    pool = Pool.load(Store(folder / "store").open(run.pool.key))
    spec = model_spec("static:wordllama", student=True)
    location = resolve("wordllama", "static")
    sizes = {"weak_train": 30, "transfer": 40, "validation": 10}
    task = TaskPlan("any title", pool, run.pool, sizes, {spec.name: location})
    supervisor = model_spec({"static": "wordllama", "rows": 10}, student=False)
    task_of_supervisor = replace(task, locations={supervisor.name: location})
    split = split_step(task, 0)
    assert split == run.split
    assert training_step(task_of_supervisor, supervisor, "weak_train", split, TRUTH, NAIVE, 0) == run.supervisor


def test_steps_are_shared(folder: Path) -> None:
    plan = planned(folder)
    kinds = [step.kind for step in walk(plan.wanted)]
    assert len(plan.runs) == 2 * 2 * 2
    assert kinds.count("pool") == 1
    assert kinds.count("split") == 2
    assert kinds.count("features") == 2
    # 2 seeds x (2 supervisors + 2 x 2 students + 1 ceiling)
    assert kinds.count("head") == 2 * (2 + 4 + 1)
    assert len({run.ceiling.key for run in plan.runs if run.ceiling}) == 2


def test_order_of_lists_and_names_change_no_key(folder: Path) -> None:
    first = planned(folder)
    experiment = asked(
        folder,
        name="another",
        weak=["static:wordllama", {"static": "wordllama", "rows": 10}],
        methods=["confidence", "naive"],
        seeds=[1, 0],
    )
    assert cells(planned(folder, experiment)) == cells(first)
    task = {"name": "other", "file": str(folder / "reviews.csv"), "text": "sentence", "label": "label"}
    assert keys(planned(folder, asked(folder, tasks=[task]))) == keys(first)


def test_paths_devices_jobs_and_threads_change_no_key(folder: Path, tmp_path: Path) -> None:
    first = keys(planned(folder))
    assert keys(planned(folder, machine=Machine(jobs=3, threads=7, device="cuda"))) == first
    moved = tmp_path / "moved"
    moved.mkdir()
    table(moved, "renamed.csv")
    task = {"file": str(moved / "renamed.csv"), "text": "sentence", "label": "label"}
    assert keys(planned(folder, asked(folder, tasks=[task]))) == first


def test_adding_changes_no_key(folder: Path) -> None:
    first = keys(planned(folder))
    more = asked(
        folder,
        weak=[{"static": "wordllama", "rows": 10}, "static:wordllama", {"static": "wordllama", "rows": 20}],
        methods=["naive", "confidence", {"confidence": {"alpha": 0.75}}],
        seeds=[0, 1, 2],
    )
    assert first < keys(planned(folder, more))


def test_one_character_of_the_data_changes_every_key(folder: Path) -> None:
    first = keys(planned(folder))
    path = folder / "reviews.csv"
    path.write_text(path.read_text().replace("number 1 was", "number 1 is", 1))
    assert not first & keys(planned(folder))


@pytest.mark.parametrize(
    ("changes", "same", "other"),
    [
        # A method's option: its students alone.
        ({"methods": ["naive", {"confidence": {"alpha": 0.6}}]}, {"pool", "split", "features"}, {"head"}),
        # A head's strength: heads, not the features they stand on.
        ({"strong": [{"probe": "minilm", "l2": 0.1}]}, {"pool", "split", "features"}, {"head"}),
        # A layer: features, and the heads on them.
        ({"strong": [{"probe": "minilm", "layer": 3}]}, {"pool", "split"}, {"features", "head"}),
        # Another share of rows to learn from: the deals and what is learned, not the pool nor the features.
        ({"split": {"weak_train": 30, "transfer": 39, "validation": 10, "test": 20}}, {"pool", "features"}, {"split", "head"}),
        ({"split": {"weak_train": 30, "transfer": 40, "validation": 10, "test": 19}}, set(), {"pool", "split", "features"}),
    ],
)  # fmt: skip
def test_a_change_reaches_what_it_may_change(
    folder: Path, changes: dict[str, Any], same: set[str], other: set[str]
) -> None:
    def by_kind(plan: Plan) -> Mapping[str, set[str]]:
        return {kind: {step.key for step in walk(plan.wanted) if step.kind == kind} for kind in names("step kinds")}

    before, after = by_kind(planned(folder)), by_kind(planned(folder, asked(folder, **changes)))
    for kind in same:
        assert before[kind] == after[kind], kind
    for kind in other:
        assert before[kind] != after[kind], kind


def test_a_retrained_checkpoint_changes_its_keys_and_a_moved_one_none(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    from outgrow.models.checkpoints.locate import resolve
    from outgrow.models.checkpoints.weight_files import static_files

    source = resolve("wordllama", "static")
    assert source.path is not None
    weights, tokenizer = static_files(Path(source.path))
    checkpoint = folder / "mine"
    checkpoint.mkdir()
    values = {name: array[:2000] for name, array in load_file(weights).items()}
    save_file(values, checkpoint / "model.safetensors")
    shutil.copy(tokenizer, checkpoint / "tokenizer.json")

    def with_checkpoint(path: Path) -> set[str]:
        return keys(planned(folder, asked(folder, weak=[f"static:{path}"])))

    first = with_checkpoint(checkpoint)
    shutil.copytree(checkpoint, folder / "copied")
    assert with_checkpoint(folder / "copied") == first
    save_file({name: array + np.float32(0.001) for name, array in values.items()}, checkpoint / "model.safetensors")
    changed = with_checkpoint(checkpoint)
    assert changed != first
    assert keys(planned(folder, asked(folder, weak=["static:wordllama"]))) & first == changed & first


def test_an_edited_plugin_changes_its_keys(folder: Path) -> None:
    code = (
        "from outgrow import Method\n\n\nclass Mine(Method):\n    def loss(self, logits, weak, progress, statistic=None):\n"
        "        return -(weak * logits.log_softmax(-1)).sum(-1)\n"
    )
    plugin = folder / "mine.py"

    def with_plugin() -> set[str]:
        return keys(planned(folder, asked(folder, methods=[f"{plugin}:Mine"])))

    plugin.write_text(code)
    first = with_plugin()
    assert with_plugin() == first
    plugin.rename(folder / "renamed.py")
    assert keys(planned(folder, asked(folder, methods=[f"{folder / 'renamed.py'}:Mine"]))) == first
    plugin.write_text(code + "# edited\n")
    assert with_plugin() != first


def test_a_kinds_version_is_in_the_keys_of_it_and_of_what_stands_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def chain() -> list[str]:
        pool = Step("pool", {"a": 1})
        features = Step("features", {"b": 1}, {"pool": pool})
        return [pool.key, features.key, Step("head", {"c": 1}, {"features": features}).key]

    before = chain()
    newer = replace(heads.FEATURES, version=heads.FEATURES.version + 1)
    monkeypatch.setattr(heads, "FEATURES", newer)
    assert [old == new for old, new in zip(before, chain(), strict=True)] == [True, False, False]


def test_parents_have_roles() -> None:
    a, b = Step("pool", {"a": 1}), Step("pool", {"a": 2})
    assert Step("head", {}, {"x": a, "y": b}).key != Step("head", {}, {"x": b, "y": a}).key
    assert Step("head", {}, {"x": a, "y": b}).key == Step("head", {}, {"y": b, "x": a}).key


def test_labels_and_estimates_are_no_part_of_a_step() -> None:
    assert Step("pool", {"a": 1}, label="one", flops=3.0) == Step("pool", {"a": 1}, label="two")


@pytest.mark.parametrize("value", [{1: 2}, {"a": object()}, {"a": float("nan")}, {"a": b"x"}, {"a": {1, 2}}])
def test_a_key_refuses_what_has_no_exact_json_form(value: Any) -> None:
    with pytest.raises(TypeError):
        _ = Step("pool", {"value": value}).key


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@hypothesis_given(JSON)
def test_canonical_json_is_one_text_a_value(value: Any) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@settings(max_examples=50, deadline=None)
@hypothesis_given(st.dictionaries(st.text(max_size=5), JSON, min_size=2, max_size=6))
def test_the_order_of_parameters_changes_no_key(params: dict[str, Any]) -> None:
    backwards = dict(reversed(list(params.items())))
    assert Step("pool", params).key == Step("pool", backwards).key


@settings(max_examples=50, deadline=None)
@hypothesis_given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_walk_has_every_step_once_and_parents_first(edges: list[tuple[int, int]]) -> None:
    steps: list[Step] = []
    for number in range(31):
        parents = {f"p{low}": steps[low] for low, high in edges if low < high == number}
        steps.append(Step("pool", {"n": number}, parents))
    order = list(walk(steps))
    assert len({step.key for step in order}) == len(order) == 31
    place = {step.key: position for position, step in enumerate(order)}
    assert all(place[parent.key] < place[step.key] for step in order for parent in step.parents.values())


def test_a_kind_in_a_plugin_file_is_known_by_what_the_file_holds(folder: Path) -> None:
    code = "from outgrow.execution.step import Kind\n\n\ndef make(jobs, context):\n    pass\n\n\nTOY = Kind({version}, make)\n"

    def key(name: str, version: int) -> str:
        (folder / name).write_text(code.format(version=version))
        return Step(f"{folder / name}:TOY", {}).key

    assert key("toy.py", 1) == key("elsewhere.py", 1) != key("toy.py", 2)


def test_what_is_not_a_kind_is_refused(folder: Path) -> None:
    (folder / "toy.py").write_text("TOY = 3\n")
    with pytest.raises(OutgrowError, match="is not a step kind"):
        _ = Step(f"{folder / 'toy.py'}:TOY", {}).key
