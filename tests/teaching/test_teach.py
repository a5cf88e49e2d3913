"""Teaching: that nothing is scored on what it learned, and that the numbers are those of the student."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from taught import evidence, head, make_files, read, write
from typer.testing import CliRunner

from outgrow.cli.app import app
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.store import Store
from outgrow.experiment.spec.model_entries import model_spec
from outgrow.methods.losses import Confidence, Naive
from outgrow.teaching.calibration import tempered
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.options import (
    CORRECTED_WEIGHT,
    CORRECTIONS,
    OVERLAP,
    Learner,
    candidates,
    for_labels,
    learning_method,
    student_spec,
)
from outgrow.teaching.options import learning as learning_of
from outgrow.teaching.saved.saved_student import load
from outgrow.teaching.sentences import sentences
from outgrow.teaching.steps import dataset_step
from outgrow.teaching.students import no_progress
from outgrow.teaching.teach import Laboratory, Taught, teach
from outgrow.teaching.teach_files import teach_files

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_files(tmp_path_factory.mktemp("files"))


MEMORY = """
import zlib
from dataclasses import dataclass
import numpy as np
from outgrow import Model

TRUTH = {truth}

class Memory(Model):
    "Knows what it learned by heart, and is wrong about everything else."
    l2: float = 0.03

    def fit(self, examples, targets, objective, seed):
        return Known(dict(zip(examples.ids.tolist(), targets.hard.tolist())), targets.probabilities.shape[1])

@dataclass
class Known:
    learned: dict
    classes: int

    def predict(self, examples):
        found = [self.learned.get(one, (TRUTH[one] + 1) % self.classes) for one in examples.ids.tolist()]
        return np.eye(self.classes)[found]

class Guess(Model):
    "Learns nothing."
    world: int = 0
    l2: float = 0.03

    def fit(self, examples, targets, objective, seed):
        return Guesses(zlib.crc32(repr([self.world, self.l2, type(objective).__name__]).encode()))

class Always(Model):
    "Predicts the second class, whatever it learns."
    l2: float = 0.03

    def fit(self, examples, targets, objective, seed):
        return self

    def predict(self, examples):
        return np.tile([0.1, 0.9], (len(examples), 1))

@dataclass
class Guesses:
    seed: int

    def predict(self, examples):
        return np.eye(2)[np.random.default_rng(self.seed).integers(2, size=len(examples))]
"""


def learning(files: Path, folder: Path, name: str, **options: Any) -> Learner:
    """A plug-in of the file above as a learner; such a model teaches as any other, and only cannot be kept."""
    pool = evidence(files).pool
    path = folder / "memory.py"
    truth = dict(zip(pool.ids.tolist(), np.maximum(pool.labels, 0).tolist(), strict=True))
    path.write_text(MEMORY.replace("{truth}", repr(truth)))
    spec = model_spec({f"{path}:{name}": options}, student=True)
    return Learner(spec, {}, {spec.member.identity["file"]: str(path)})


def taught(files: Path, folder: Path, found: Learner, *, choose: bool, mix: bool) -> tuple[Taught, Laboratory]:
    sources = dict(found.sources)
    pool = dataset_step(files / "labels.csv", Reading.of("text"), Form.of(["rule"]), files / "gold.csv", None, sources)
    laboratory = Laboratory(Store(folder / "store"), Machine(), sources, Silent())
    names = found.methods if choose else found.methods[:1]
    weights = (1.0,) if mix else (0.0,)  # a model of this kind takes no others
    choices = candidates(found, [learning_method(one) for one in names], None, choose, weights)
    return teach(pool, choices, laboratory), laboratory


@pytest.mark.parametrize("mix", [False, True])
@pytest.mark.parametrize("choose", [False, True])
def test_no_score_is_of_a_row_that_was_learned_from(files: Path, tmp_path: Path, mix: bool, choose: bool) -> None:
    made, laboratory = taught(files, tmp_path, learning(files, tmp_path, "Memory"), choose=choose, mix=mix)
    report = made.report

    # Whatever is scored on a row that it learned would be right there; these are never right.
    assert report.student_accuracy is not None
    assert report.student_accuracy.estimate == 0
    assert report.worth is not None
    assert [point.accuracy for point in report.worth.points] == [0] * len(report.worth.points)
    careful = set(made.evidence.careful.tolist())
    learned = set(np.load(laboratory.opened(made.student.parents["split"]) / "transfer.npy").tolist())
    assert learned & careful == (careful if mix else set())
    assert learned - careful == set(made.evidence.taught.tolist())


@pytest.mark.slow
def test_choosing_among_guesses_does_not_look_better_than_guessing(files: Path, tmp_path: Path) -> None:
    scores, best = [], []
    for world in range(12):
        guesses = learning(files, tmp_path, "Guess", world=world)
        report = taught(files, tmp_path, guesses, choose=True, mix=False)[0].report
        assert report.student_accuracy is not None
        scores.append(report.student_accuracy.estimate)
        best.append(max(one["accuracy"] for one in report.tried))
    assert np.mean(best) > 0.54  # the best of ten guesses
    assert np.mean(scores) == pytest.approx(0.5, abs=0.02)


def test_a_student_whose_classes_are_far_from_its_labels_is_noted(files: Path, tmp_path: Path) -> None:
    made, _ = taught(files, tmp_path, learning(files, tmp_path, "Always"), choose=False, mix=False)
    evidence = made.evidence
    second = float((evidence.hard[evidence.taught] == 1).mean())
    assert second < 0.9
    assert made.report.notes == (
        f'the student predicts "{evidence.pool.classes[1]}" on 100% of the texts that it learned from, where the cheap labels '
        f"have it on {second:.0%}: its shares of the classes are far from its labels'",
    )
    near, _ = taught(files, tmp_path / "near", learning(files, tmp_path, "Guess"), choose=False, mix=False)
    assert near.report.notes == ()


# The numbers, by hand.


@pytest.mark.slow
def test_the_numbers_are_those_of_the_student(files: Path, tmp_path: Path) -> None:
    report = teach_files(
        files / "labels.csv",
        text="text",
        columns=["rule"],
        out=tmp_path / "student",
        student="wordllama",
        method="naive",
        truth=files / "gold.csv",
        mix=False,
        seed=4,
    )
    labels = {text: rule for text, rule, *_ in read(files / "labels.csv")}
    gold = dict(read(files / "gold.csv"))
    left = [text for text in labels if text not in gold]

    targets = np.eye(2, dtype=np.float32)[[int(labels[text]) for text in left]]
    alone = head(student_spec("wordllama"), left, targets, Naive(), 0.03, 4, list(gold))
    said = dict(zip(gold, alone, strict=True))
    right = {text: said[text].argmax() == int(gold[text]) for text in gold}
    both = [text for text in gold if text in labels]

    assert report.taught == len(left) == 680
    assert report.student_accuracy is not None
    assert report.student_accuracy.estimate == pytest.approx(np.mean(list(right.values())))
    assert report.student_accuracy.covers == "examples"
    assert report.cheap_rows == len(both) == 120
    assert report.cheap_accuracy is not None
    assert report.cheap_accuracy.estimate == pytest.approx(np.mean([labels[text] == gold[text] for text in both]))
    assert report.gain is not None
    assert report.gain.estimate == pytest.approx(
        np.mean([right[text] for text in both]) - np.mean([labels[text] == gold[text] for text in both])
    )
    ask = load(tmp_path / "student").student.reader("cpu")
    np.testing.assert_allclose(ask(list(gold), no_progress), np.array([said[text] for text in gold]), atol=1e-5)
    assert json.loads((tmp_path / "student" / "student.json").read_text())["numbers"] == json.loads(
        json.dumps(report.plain())
    )


@pytest.mark.slow
def test_careful_labels_count_as_many_cheap_ones_as_cross_validation_finds_best(files: Path, tmp_path: Path) -> None:
    """Cheap labels that are wrong nearly half of the time, in one class only: the careful ones should decide."""
    rows = [
        (text, "1" if person == "1" or place % 5 else "0")
        for place, (text, *_, person) in enumerate(read(files / "labels.csv"))
    ]
    write(tmp_path / "labels.csv", ["text", "rule"], rows)
    options: dict[str, Any] = {"text": "text", "columns": ["rule"], "student": "wordllama", "method": "naive"}
    options |= {"truth": files / "gold.csv", "store": tmp_path / "store"}
    made = teach_files(tmp_path / "labels.csv", **options, out=tmp_path / "usual")
    alone = teach_files(tmp_path / "labels.csv", **options, out=tmp_path / "alone", mix=False)
    tried = {one["weight"]: one["accuracy"] for one in made.tried}
    assert list(tried) == [0, 1, 5, 20]
    assert made.weight == max(tried, key=lambda weight: tried[weight]) > 1
    assert made.student_accuracy is not None
    assert alone.student_accuracy is not None
    assert alone.student_accuracy.estimate == tried[0]
    assert made.student_accuracy.estimate > alone.student_accuracy.estimate + 0.05
    assert made.worth == alone.worth  # of the cheap labels alone

    # The student that is kept is the head that solves the weighted problem.
    labels, gold = dict(rows), dict(read(files / "gold.csv"))
    left = [text for text in labels if text not in gold]
    targets = np.eye(2, dtype=np.float32)[
        [int(labels[text]) for text in left] + [int(label) for label in gold.values()]
    ]
    weights = np.repeat([1.0, made.weight], [len(left), len(gold)])
    asked = list(gold)[:50]
    expected = head(student_spec("wordllama"), [*left, *gold], targets, Naive(), 0.03, 0, asked, weights)
    said = load(tmp_path / "usual").student.reader("cpu")(asked, no_progress)
    found = made.calibration
    assert found is not None
    assert found.applied  # 20 times the weight of every careful label: it is too sure
    assert found.temperature > 1.2
    assert found.after < found.before
    np.testing.assert_allclose(said, tempered(expected, found.temperature), atol=1e-5)
    np.testing.assert_array_equal(said.argmax(axis=1), expected.argmax(axis=1))


@pytest.mark.slow
def test_the_same_command_gives_the_same_student(files: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        arguments = ["teach", str(files / "labels.csv"), "--text", "text", "--label", "rule,model", "--label", "person"]
        arguments += ["--student", "wordllama", "--truth", str(files / "gold.csv"), "--choose", "--mix"]
        ran = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / name)])
        assert ran.exit_code == 0, ran.output
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
    numbers = json.loads((tmp_path / "one" / "student.json").read_text())["numbers"]
    assert len(numbers["tried"]) == 10
    assert numbers["mixed"] is True
    assert "Your 680 cheap labels alone are worth" in ran.output


@pytest.mark.slow
def test_the_card(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "student"
    teach_files(
        files / "labels.csv", text="text", columns=["rule"], out=out, student="minilm", truth=files / "gold.csv", l2=0.1
    )
    card = (out / "README.md").read_text()
    _, front, body = card.split("---\n", 2)
    assert yaml.safe_load(front) == {
        "library_name": "sentence-transformers",
        "pipeline_tag": "text-classification",
        "tags": ["outgrow", "weak-to-strong"],
        "license": "apache-2.0",
        "base_model": "sentence-transformers/all-MiniLM-L6-v2",
    }
    numbers = json.loads((out / "student.json").read_text())["numbers"]
    for sentence in sentences(numbers):
        assert sentence in body
    assert "Cheap labels of 680 distinct texts: column `rule`." in body
    assert f"Method `{numbers['method']}`, L2 0.1, seed 0." in body
    assert [(one["method"], one["l2"]) for one in numbers["tried"]] == [("naive", 0.1), ("confidence", 0.1)]
    assert "- Method was chosen among 2 by the careful labels." in body
    assert "## Limits" in body
    assert str(files) not in card + (out / "student.json").read_text()


def test_confidence_takes_the_shares_of_the_labels() -> None:
    shares = np.array([[1, 0], [0.5, 0.5], [1, 0], [1, 0]]).mean(axis=0).tolist()
    assert learning_method({"confidence": {"alpha": 0.3}}).for_task(shares).method == Confidence(
        alpha=0.3, prior=(0.875, 0.125)
    )
    balanced = learning_method({"confidence": {"prior": "balanced"}})
    assert balanced.for_task(shares) == balanced
    assert learning_method("naive").for_task(shares) == learning_method("naive")
    assert learning_method("confidence").for_task([1 / 3] * 3).method == Confidence(prior=(1 / 3, 1 / 3, 1 / 3))


def test_more_than_two_classes_are_learned_by_naive_unless_told_otherwise() -> None:
    choices = learning_of("wordllama", None)
    assert [one.method.name for one in for_labels(choices, 2, 0)] == ["confidence"]
    assert [one.method.name for one in for_labels(choices, 3, 0)] == ["naive"]


def test_labels_that_careful_ones_correct_are_learned_by_naive_or_confidence_unless_told_otherwise() -> None:
    choices = learning_of("wordllama", None, careful=True)
    for classes, methods in ((2, ["naive", "confidence"]), (3, ["naive"])):
        corrected = for_labels(choices, classes, OVERLAP)
        assert [one.method.name for one in corrected] == methods
        assert {(one.rounds, one.weight) for one in corrected} == {(CORRECTIONS, CORRECTED_WEIGHT)}
    assert {one.method.name for one in for_labels(choices, 2, OVERLAP - 1)} == {"confidence"}
