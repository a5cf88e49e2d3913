"""Teaching: that nothing is scored on what it learned, and that the numbers are those of the student."""

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from taught import evidence, make_files, read
from typer.testing import CliRunner

from outgrow.cli.app import app
from outgrow.methods.losses import Confidence, Naive
from outgrow.models.contract import Location
from outgrow.teaching.options import learner, student_spec
from outgrow.teaching.saved_student import load
from outgrow.teaching.sentences import sentences
from outgrow.teaching.students import Lesson, Progress, suited, unheard
from outgrow.teaching.teach import candidates, methods, teach
from outgrow.teaching.teach_files import teach_files

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_files(tmp_path_factory.mktemp("files"))


NOWHERE = Location("memory", None, None, None, "", 0)


@dataclass(frozen=True)
class Memory:
    """Knows what it learned by heart, and is wrong about everything else."""

    known: dict[int, int]
    classes: int
    kind: str = "memory"

    def reader(self, device: str) -> Callable[[Sequence[str], Progress], Any]:
        raise NotImplementedError

    def write(self, folder: Path) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class MemoryBench:
    truth: np.ndarray
    lessons: list[Lesson]

    def learn(self, lessons: Sequence[Lesson], progress: Progress = unheard) -> Iterator[Memory]:
        self.lessons.extend(lessons)
        for lesson in lessons:
            known = dict(zip(lesson.rows.tolist(), lesson.targets.argmax(axis=1).tolist(), strict=True))
            yield Memory(known, lesson.targets.shape[1])

    def ask(self, student: Any, rows: np.ndarray) -> np.ndarray:
        said = [student.known.get(row, (self.truth[row] + 1) % student.classes) for row in rows.tolist()]
        return np.eye(student.classes)[said]


@dataclass(frozen=True)
class MemoryLearner:
    bench: MemoryBench
    location: Location = NOWHERE
    methods: tuple[str, ...] = ("confidence", "naive")
    repeats: int = 5
    strengths: tuple[float, ...] = (0.1, 1.0)

    def read(self, texts: Sequence[str], device: str, progress: Progress = unheard) -> MemoryBench:
        return self.bench


@pytest.mark.parametrize("mix", [False, True])
@pytest.mark.parametrize("choose", [False, True])
def test_no_score_is_of_a_row_that_was_learned_from(files: Path, mix: bool, choose: bool) -> None:
    found = evidence(files)
    memory = MemoryLearner(MemoryBench(found.truth, []))
    taught = teach(found, memory, candidates(memory, methods(None, memory, choose), None, choose), mix=mix)
    report = taught.report

    # Whatever is scored on a row that it learned would be right there; these are never right.
    assert report.student_accuracy is not None
    assert report.student_accuracy.estimate == 0
    assert report.worth is not None
    assert [point.accuracy for point in report.worth.points] == [0] * len(report.worth.points)
    gold = set(found.gold.tolist())
    learned = set(taught.student.known) & gold
    assert learned == (gold if mix else set())
    assert set(found.taught.tolist()) <= set(taught.student.known)


@dataclass(frozen=True)
class Guess:
    key: tuple[object, ...]
    kind: str = "guess"

    def reader(self, device: str) -> Callable[[Sequence[str], Progress], Any]:
        raise NotImplementedError

    def write(self, folder: Path) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class GuessBench:
    seed: int

    def learn(self, lessons: Sequence[Lesson], progress: Progress = unheard) -> list[Guess]:
        return [Guess((str(lesson.method), lesson.l2)) for lesson in lessons]

    def ask(self, student: Any, rows: np.ndarray) -> np.ndarray:
        key = zlib.crc32(repr((self.seed, student.key)).encode())
        return np.eye(2)[np.random.default_rng(key).integers(2, size=10_000)[rows]]


@dataclass(frozen=True)
class GuessLearner:
    seed: int
    location: Location = NOWHERE
    methods: tuple[str, ...] = ("confidence", "naive")
    repeats: int = 2
    strengths: tuple[float, ...] = tuple(float(strength) for strength in range(1, 11))

    def read(self, texts: Sequence[str], device: str, progress: Progress = unheard) -> GuessBench:
        return GuessBench(self.seed)


def test_choosing_among_guesses_does_not_look_better_than_guessing(files: Path) -> None:
    found = evidence(files)
    scores, best = [], []
    for seed in range(30):
        guesses = GuessLearner(seed)
        report = teach(found, guesses, candidates(guesses, methods(None, guesses, True), None, True)).report
        assert report.student_accuracy is not None
        scores.append(report.student_accuracy.estimate)
        best.append(max(one["accuracy"] for one in report.tried))
    assert np.mean(best) > 0.55  # the best of twenty guesses
    assert np.mean(scores) == pytest.approx(0.5, abs=0.02)


# The numbers, by hand.


def test_the_numbers_are_those_of_the_student(files: Path, tmp_path: Path) -> None:
    report = teach_files(
        files / "labels.csv",
        text="text",
        columns=["rule"],
        out=tmp_path / "student",
        student="wordllama",
        method="naive",
        truth=files / "gold.csv",
        seed=4,
    )
    labels = {text: rule for text, rule, *_ in read(files / "labels.csv")}
    gold = dict(read(files / "gold.csv"))
    left = [text for text in labels if text not in gold]

    bench = learner(student_spec("wordllama")).read([*left, *gold], "cpu")
    rows = np.arange(len(left))
    targets = np.eye(2, dtype=np.float32)[[int(labels[text]) for text in left]]
    (student,) = bench.learn([Lesson(rows, targets, Naive(), None, 4)])
    said = dict(zip(gold, bench.ask(student, np.arange(len(left), len(left) + len(gold))), strict=True))
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
    np.testing.assert_array_equal(ask(list(gold), unheard), np.array([said[text] for text in gold]))
    assert json.loads((tmp_path / "student" / "student.json").read_text())["numbers"] == json.loads(
        json.dumps(report.plain())
    )


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
    assert "Your 680 cheap labels with your 200 careful ones are worth" in ran.output


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
    assert "Method `confidence`, L2 0.1, seed 0." in body
    assert "## Limits" in body
    assert str(files) not in card + (out / "student.json").read_text()


def test_confidence_is_told_the_shares_of_the_labels() -> None:
    targets = np.array([[1, 0], [0.5, 0.5], [1, 0], [1, 0]], dtype=np.float32)
    assert suited(Confidence(alpha=0.3), targets) == Confidence(alpha=0.3, prior=(0.875, 0.125))
    assert suited(Confidence(), targets, np.array([0, 1, 0, 0])) == Confidence(prior=(0.5, 0.5))
    assert suited(Confidence(prior="balanced"), targets) == Confidence(prior="balanced")
    assert suited(Naive(), targets) == Naive()
    three = np.eye(3, dtype=np.float32)
    assert suited(Confidence(), three) == Confidence()
