"""`--student auto`: what is tried, what a budget leaves out, and that the choice is measured as any other."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny_models
from taught import evidence, make_files, read
from typer.testing import CliRunner

from outgrow import UsageError, WeakToStrongClassifier
from outgrow.cli.app import app
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.step import kind_of, walk
from outgrow.execution.store import Store
from outgrow.execution.throughput import matrix_product
from outgrow.models.checkpoints.locate import SHORT, Short
from outgrow.results.statistics.chosen import accuracy_of_choice, scores_of_choice
from outgrow.teaching import auto
from outgrow.teaching.auto import asked
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.options import Candidate, Learner, learning
from outgrow.teaching.saved.saved_student import load
from outgrow.teaching.sentences import sentences
from outgrow.teaching.steps import dataset_step
from outgrow.teaching.teach import Laboratory, work_on
from outgrow.teaching.teach_files import teach_files

pytestmark = pytest.mark.usefixtures("one_thread")
STUDENTS = {
    "static:wordllama": 1.0,
    "probe:small layer=all": 20.0,
    "finetune:small": 5.0,
}  # and the seconds they are to take


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.make("bert", tmp_path_factory.mktemp("small"))


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, small: Path) -> None:
    """A machine with two models; a third is neither installed nor downloaded."""
    known = {
        "wordllama": SHORT["wordllama"],
        "small": Short("probe", None, ("small",), lambda: small),
        "away": Short("probe", None, ("away",)),
    }
    for name in list(SHORT):
        monkeypatch.delitem(SHORT, name)
    for name, short in known.items():
        monkeypatch.setitem(SHORT, name, short)
    monkeypatch.setattr(auto, "_steps", lambda work, choices: [STUDENTS[choices[0].learner.spec.name]])
    monkeypatch.setattr(auto.Forecast, "after", lambda *_: SimpleNamespace(seconds=sum))


def taught(files: Path, place: Path, **options: Any) -> Any:
    given: dict[str, Any] = {"truth": files / "gold.csv", "student": "auto", "worth": False, **options}
    return teach_files(
        files / "labels.csv", text="text", columns=["rule"], out=place / "student", store=place / "store",
        machine=Machine(threads=1), **given,
    )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tried")


def test_every_student_that_is_here_is_tried_and_the_best_one_kept(files: Path, store: Path) -> None:
    report = taught(files, store)
    tried = [(one["student"], one["method"]) for one in report.tried]
    assert tried == [
        ("static:wordllama", "naive"),
        ("static:wordllama", "confidence"),
        ("finetune:small", "lp_ft"),
        ("probe:small layer=all", "naive"),
        ("probe:small layer=all", "confidence"),
    ]
    best = min(report.tried, key=lambda one: float(one["log_loss"]))
    assert report.method == best["method"]
    assert best["accuracy"] > max(one["accuracy"] for one in report.tried[2:]) + 0.05  # random weights know nothing
    assert load(store / "student").about["model"]["name"] == best["student"]
    assert not [note for note in report.notes if "was not tried" in note]
    said = sentences(report.plain())
    (of_students,) = [sentence for sentence in said if sentence.startswith("Of 3 students")]
    loss, right = (f"{best[what]:.3f}".removeprefix("0") for what in ("log_loss", "accuracy"))
    assert f"least log loss: static:wordllama {loss} ({right} right); finetune:small " in of_students
    card = (store / "student" / "README.md").read_text("utf-8")
    assert "- Student, method and that weight were chosen among 5 by the careful labels." in card


def test_the_kept_student_is_that_of_its_own_name(files: Path, store: Path, tmp_path: Path) -> None:
    taught(files, store)
    alone = taught(files, tmp_path, student="wordllama")
    chosen, named = load(store / "student"), load(tmp_path / "student")
    texts = [row[0] for row in read(files / "gold.csv")]
    answers = [one.student.reader("cpu")(texts, lambda done, total: None) for one in (chosen, named)]
    np.testing.assert_array_equal(*answers)
    assert list(alone.tried) == load(store / "student").about["numbers"]["tried"][:2]


def test_a_budget_leaves_the_dearer_ones_out_and_says_so(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = taught(files, tmp_path, budget=0.0)
    assert {one["student"] for one in first.tried} == {"static:wordllama"}  # the cheapest is always tried
    assert first.notes[-2:] == tuple(
        f"{name} was not tried: it takes about {seconds} s, and of the budget of under 1 s under 1 s were left"
        for name, seconds in (("finetune:small", 5), ("probe:small layer=all", 20))
    )
    monkeypatch.setattr(auto, "monotonic", lambda: next(clock))
    clock = iter([0.0, 0.0, 12.0, 13.0])  # the first took longer than thought: of 18 s, 6 are left, and then 5
    second = taught(files, tmp_path, budget=18.0)
    assert list(dict.fromkeys(one["student"] for one in second.tried)) == ["static:wordllama", "finetune:small"]
    assert second.notes[-1].endswith("it takes about 20 s, and of the budget of 18 s 5 s were left")


def test_its_interval_is_that_of_a_choice(files: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each careful row is scored by the choice that the other rows make, among all candidates of all students."""
    tables: list[np.ndarray] = []

    def seen(right: Any, losses: Any, groups: Any, seed: int) -> Any:
        tables.extend((right, losses))
        return scores_of_choice(right, losses, groups, seed)

    monkeypatch.setattr("outgrow.teaching.teach.scores_of_choice", seen)
    report = taught(files, store)
    right, losses = tables
    assert right.mean(axis=1) == pytest.approx([one["accuracy"] for one in report.tried])
    assert losses.mean(axis=2).min(axis=1) == pytest.approx([one["log_loss"] for one in report.tried])
    pool = evidence(files).pool
    expected = accuracy_of_choice(scores_of_choice(right, losses, pool.groups[pool.labels >= 0], 0))
    assert report.student_accuracy == expected


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"truth": None}, "--student auto: a student is chosen by careful labels, and there are none"),
        ({"choose": True}, "--choose: --student auto chooses the student; name one"),
        ({"method": "naiv"}, 'unknown method "naiv"; did you mean "naive"?'),
        ({"student": "wordllama", "budget": 60.0}, "--budget: is for how long --student auto tries students"),
    ],
)
def test_what_does_not_fit_together(files: Path, tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        taught(files, tmp_path, **options)
    assert sentence in str(caught.value)


def test_a_method_or_strength_leaves_the_students_that_take_it() -> None:
    assert [one.learner.spec.name for one in asked("auto", "lp_ft", careful=True)] == ["finetune:small"]
    heads = dict.fromkeys(one.learner.spec.name for one in asked("auto", None, l2=0.1, careful=True))
    assert list(heads) == ["static:wordllama", "probe:small layer=all"]


@pytest.mark.slow
def test_with_a_graph_only_students_that_have_one_are_tried(files: Path, tmp_path: Path) -> None:
    report = taught(files, tmp_path, onnx=True)
    assert (tmp_path / "student" / "onnx" / "model.onnx").is_file()
    assert load(tmp_path / "student").about["model"]["name"] == "probe:small layer=all"
    assert {one["student"] for one in report.tried} == {"probe:small layer=all"}


def test_a_machine_without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wordllama", "small"):
        monkeypatch.delitem(SHORT, name)
    with pytest.raises(UsageError, match="no model that it knows is on this machine; name a student"):
        asked("auto", None, careful=True)


def test_the_command(files: Path, tmp_path: Path) -> None:
    command = ["teach", files / "labels.csv", "--text", "text", "--label", "rule", "--truth", files / "gold.csv"]
    command += ["--student", "auto", "--no-worth", "--threads", 1, "--out", tmp_path / "student"]
    wrong = CliRunner().invoke(app, [*map(str, command), "--budget", "soon"])
    assert isinstance(wrong.exception, UsageError)
    assert '"soon" is not a time' in str(wrong.exception)
    done = CliRunner().invoke(app, [*map(str, command), "--budget", "1s", "--store", str(tmp_path / "store")])
    assert done.exit_code == 0, done.output
    assert "The student is in" in done.output


@pytest.mark.slow
def test_the_estimator_chooses_too(files: Path, store: Path) -> None:
    report = taught(files, store)
    weak = {row[0]: int(row[1]) for row in read(files / "labels.csv")}
    careful = {row[0]: int(row[1]) for row in read(files / "gold.csv")}
    texts = [*weak, *(text for text in careful if text not in weak)]
    made = WeakToStrongClassifier("auto").fit(
        texts, [weak.get(text) for text in texts], truth=[careful.get(text) for text in texts]
    )
    assert made.report_.tried == report.tried
    assert made.report_.student_accuracy == report.student_accuracy
    with pytest.raises(UsageError, match="chosen by careful labels"):
        WeakToStrongClassifier("auto").fit(texts[:800], list(weak.values()))


def test_the_expected_time_of_steps(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the product's rate where a model is new to the store, by its own rate afterwards, and none for what is there."""
    monkeypatch.undo()
    sources: dict[str, Any] = {}
    pool = dataset_step(files / "labels.csv", Reading.of("text"), Form.of(["rule"]), files / "gold.csv", None, sources)
    choices = learning("static:wordllama", "naive", l2=0.1, careful=True)
    store = Store(tmp_path)
    laboratory = Laboratory(
        store, Machine(device="cpu", threads=1), {**sources, **choices[0].learner.sources}, Silent()
    )
    work = work_on(pool, laboratory, 0)
    flops = dict.fromkeys(("features", "head"), 0.0)
    for step in walk(chain.from_iterable(work.of_choices(choices))):
        if step.kind in flops:
            flops[step.kind] += step.flops
    assert flops["head"] > 0
    by_product = sum(of_kind / (1e9 * kind_of(kind).efficiency) for kind, of_kind in flops.items())

    def expected(some: list[Candidate], product: float, after: Sequence[Candidate] = ()) -> float:
        steps, made = (list(walk(chain.from_iterable(work.of_choices(of)))) for of in (some, after))
        return auto.Forecast.after(made, laboratory, product).seconds(steps)

    assert expected(choices, 1e9) == pytest.approx(by_product)
    work.cross_fitted(choices)
    assert expected(choices, 1e9) == 0
    others = learning("static:wordllama", "naive", l2=0.2, careful=True)
    assert expected(others, 1e9) == expected(others, 1e12) > 0
    new = [replace(choice, learner=unlike(choice.learner)) for choice in choices]
    assert expected(new, 1e9) == pytest.approx(by_product)
    assert expected(new, 1e9, choices) == expected(new, 1e12, choices) > 0, "as others of its kind"


def unlike(learner: Learner) -> Learner:
    """A student of the same kind and size whose checkpoint no store has seen."""
    return replace(
        learner, locations={name: replace(at, fingerprint="0" * 64) for name, at in learner.locations.items()}
    )


def test_the_rate_of_a_product() -> None:
    numpys, torchs = matrix_product(), matrix_product("cpu:0")  # the second as of an accelerator
    assert 1e8 < numpys < 1e14
    assert 1 / 30 < numpys / torchs < 30
