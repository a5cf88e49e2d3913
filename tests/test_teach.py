"""Teaching: what is read from files, that nothing is scored on what it learned, and what is said of a student."""

import csv
import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from outgrow.cli import app
from outgrow.core import UsageError
from outgrow.evidence import Evidence, read_evidence
from outgrow.kinds import learner, student_spec
from outgrow.learners import Lesson, Progress, suited, unheard
from outgrow.methods.losses import Confidence, Naive
from outgrow.models.contract import Location
from outgrow.student import load
from outgrow.tasks.sentiment import sentiment
from outgrow.teach import candidates, methods, teach
from outgrow.teach_words import sentences
from outgrow.teaching import teach_files


def write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(path: Path) -> list[list[str]]:
    """The rows of a CSV file without its header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """These are many small fits, which more threads only slow down."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real sentences: 800 with a crude rule's label and two more voters, 120 of them and 80 others with their truth."""
    folder = tmp_path_factory.mktemp("files")
    task = sentiment()
    known = dict(zip(task.inputs, map(str, task.labels), strict=True))
    generator = np.random.default_rng(0)
    texts = [list(known)[place] for place in generator.permutation(len(known))[:880]]

    def voter(error: float) -> list[str]:
        return [str(1 - int(known[text])) if generator.random() < error else known[text] for text in texts[:800]]

    votes = zip(texts[:800], voter(0.3), voter(0.35), voter(0.1), strict=True)
    write(folder / "labels.csv", ["text", "rule", "model", "person"], list(votes))
    write(folder / "gold.csv", ["text", "label"], [(text, known[text]) for text in texts[680:]])
    return folder


def evidence(folder: Path, **options: Any) -> Evidence:
    options = {"columns": ["rule"], "text": "text", "truth": folder / "gold.csv", **options}
    return read_evidence(folder / "labels.csv", **options)


# What is read from the files.


def test_gold_leaves_the_training_set(files: Path) -> None:
    found = evidence(files)
    assert len(found.texts) == 880
    assert len(found.gold) == 200
    assert len(found.taught) == 680
    assert not set(found.gold) & set(found.taught)
    assert (found.hard[found.gold] >= 0).sum() == 120
    assert "120 of 200 texts of gold.csv stand in labels.csv too: they leave the training set" in found.notes


def test_labels_of_the_same_text_are_joined(tmp_path: Path) -> None:
    rows = [("a", "x"), ("b", "y"), ("a", "x"), ("a", "z"), ("c", ""), ("d", "nan")]
    write(tmp_path / "labels.csv", ["text", "rule"], rows)
    found = evidence(tmp_path, truth=None)
    assert found.texts == ["a", "b"]
    assert found.classes == ("x", "y", "z")
    np.testing.assert_allclose(found.cheap, [[2 / 3, 0, 1 / 3], [0, 1, 0]], rtol=1e-6)
    assert found.taught.tolist() == [0, 1]
    assert found.notes == (
        "6 rows of labels.csv hold 4 distinct texts; labels of the same text are joined",
        "2 of 4 texts have no cheap label, and are not learned from",
    )


def test_several_columns_are_joined_better_than_any_majority(files: Path) -> None:
    found = evidence(files, columns=["rule", "model", "person"])
    both = found.gold[found.hard[found.gold] >= 0]
    joined = (found.hard[both] == found.truth[both]).mean()
    alone = {
        name: (evidence(files, columns=[name]).hard[both] == found.truth[both]).mean()
        for name in ("rule", "model", "person")
    }
    assert joined >= max(alone.values())
    right = {name: habits["right"] for name, habits in found.voters.items()}
    assert right == pytest.approx({"rule": 0.7, "model": 0.65, "person": 0.9}, abs=0.06)
    assert {habits["covers"] for habits in found.voters.values()} == {1.0}


def test_a_template_and_a_truth_column_of_another_name(tmp_path: Path) -> None:
    rows = [(f"t{place}", "body", "ab"[place % 2]) for place in range(40)]
    write(tmp_path / "labels.csv", ["title", "body", "rule"], rows)
    write(tmp_path / "gold.csv", ["title", "body", "checked"], rows[:20])
    with pytest.raises(
        UsageError, match="which column holds the careful labels\\? Name it with --truth-label; there is"
    ):
        evidence(tmp_path, text="{title}: {body}")
    found = evidence(tmp_path, text="{title}: {body}", truth_label="checked")
    assert found.texts[0] == "t0: body"
    assert len(found.gold) == 20


def test_gold_that_says_nothing_or_two_things(tmp_path: Path) -> None:
    write(tmp_path / "labels.csv", ["text", "rule"], [(f"t{place}", "ab"[place % 2]) for place in range(60)])
    rows = [(f"t{place}", "ab"[place % 2]) for place in range(30)] + [("t1", "a"), ("t40", ""), ("t2", "a")]
    write(tmp_path / "gold.csv", ["text", "label"], rows)
    found = evidence(tmp_path)
    assert len(found.gold) == 29
    assert "1 rows of gold.csv have no label and count as absent" in found.notes
    assert "1 texts of gold.csv have contradicting labels and are left out" in found.notes


def test_gold_that_overlaps_nothing_measures_the_student_only(tmp_path: Path, files: Path) -> None:
    rows = read(files / "gold.csv")[120:]
    (tmp_path / "labels.csv").write_bytes((files / "labels.csv").read_bytes())
    write(tmp_path / "gold.csv", ["text", "label"], rows)
    report = teach_files(
        tmp_path / "labels.csv",
        text="text",
        columns=["rule"],
        out=tmp_path / "student",
        student="wordllama",
        truth=tmp_path / "gold.csv",
    )
    assert report.cheap_accuracy is None
    assert report.gain is None
    assert report.student_accuracy is not None
    assert any("so the accuracy of the cheap labels themselves is not known" in note for note in report.notes)
    assert "The accuracy of the cheap labels is not known" in sentences(report.plain())[0]


GOOD = [(f"t{place}", "ab"[place % 2]) for place in range(60)]


@pytest.mark.parametrize(
    ("labels", "gold", "sentence"),
    [
        (GOOD, [*GOOD[:30], ("t50", "c")], "label 'c' in line 32 is none of the classes in .*; there is a, b"),
        ([(text, "a") for text, _ in GOOD], None, "column 'rule' says 'a' in every row; a student needs at least two"),
        ([(text, "") for text, _ in GOOD], None, "column 'rule' holds no label at all"),
        (GOOD, GOOD[:12], "12 texts with a careful label are too few to measure anything by; label 20 or more"),
        (GOOD, GOOD[:60:2], "column 'label' says 'a' in every row; careful labels of at least two classes"),
        (GOOD, GOOD, "every text with a cheap label also stands in .*, so nothing is left to learn from"),
        (GOOD, GOOD[:59], "all 1 texts to learn from are of class 'b'; a student needs at least two classes"),
        ([*GOOD, ("", "a")], None, "the text is empty in line 62"),
    ],
)
def test_evidence_that_cannot_be_used(
    tmp_path: Path, labels: list[tuple[str, str]], gold: list[tuple[str, str]] | None, sentence: str
) -> None:
    write(tmp_path / "labels.csv", ["text", "rule"], labels)
    if gold is not None:
        write(tmp_path / "gold.csv", ["text", "label"], gold)
    with pytest.raises(UsageError, match=sentence) as caught:
        evidence(tmp_path, truth=tmp_path / "gold.csv" if gold is not None else None)
    assert len(caught.value.problems) == 1


# That no student is scored on what it learned.


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
    repeats: int = 5
    strengths: tuple[float, ...] = (0.1, 1.0)

    def read(self, texts: Sequence[str], device: str, progress: Progress = unheard) -> MemoryBench:
        return self.bench


@pytest.mark.parametrize("mix", [False, True])
@pytest.mark.parametrize("choose", [False, True])
def test_no_score_is_of_a_row_that_was_learned_from(files: Path, mix: bool, choose: bool) -> None:
    found = evidence(files)
    memory = MemoryLearner(MemoryBench(found.truth, []))
    taught = teach(found, memory, candidates(memory, methods(None, choose), None, choose), mix=mix)
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
    repeats: int = 2
    strengths: tuple[float, ...] = tuple(float(strength) for strength in range(1, 11))

    def read(self, texts: Sequence[str], device: str, progress: Progress = unheard) -> GuessBench:
        return GuessBench(self.seed)


def test_choosing_among_guesses_does_not_look_better_than_guessing(files: Path) -> None:
    found = evidence(files)
    scores, best = [], []
    for seed in range(30):
        guesses = GuessLearner(seed)
        report = teach(found, guesses, candidates(guesses, methods(None, True), None, True)).report
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


def test_without_gold_it_says_what_cannot_be_known(files: Path, tmp_path: Path) -> None:
    arguments = ["teach", str(files / "labels.csv"), "--text", "text", "--label", "rule", "--student", "wordllama"]
    ran = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "student")])
    assert ran.exit_code == 0, ran.output
    assert "The student learned 800 cheap labels and repeats" in ran.output
    assert "cannot be known from cheap labels alone" in ran.output
    assert "Nothing is known of its accuracy" in (tmp_path / "student" / "README.md").read_text()


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


# Sentences.

SURE = {"estimate": 0.8, "low": 0.75, "high": 0.85}


def numbers(**changed: Any) -> dict[str, Any]:
    worth = {"estimate": 180, "low": 120, "high": 310, "smallest": 25, "largest": 400, "points": []}
    known = {
        "taught": 4000,
        "careful": 500,
        "cheap_rows": 300,
        "mixed": False,
        "agreement": 0.9,
        "cheap_accuracy": {"estimate": 0.7, "low": 0.66, "high": 0.74},
        "student_accuracy": SURE,
        "gain": {"estimate": 0.1, "low": 0.05, "high": 0.15},
        "worth": worth | changed.pop("worth", {}) if changed.get("worth", 1) is not None else changed.pop("worth"),
    }
    return {**known, **changed}


def test_sentences_word_by_word() -> None:
    assert sentences(numbers()) == [
        "The cheap labels are right on .700 (95%: .660 … .740) of the 300 of 500 that have one.",
        "The student is right on .800 (95%: .750 … .850) of all 500. Where they speak, it outgrows its labels by 10.0 "
        "points (95%: +5.0 … +15.0).",
        "Your 4,000 cheap labels are worth 180 careful ones (95%: 120 … 310).",
    ]


@pytest.mark.parametrize(
    ("worth", "sentence"),
    [
        (
            {"estimate": None, "low": 350, "high": None},
            "worth more than 400 careful ones, which is as far as your careful labels reach (95%: 350 … more than 400).",
        ),
        ({"estimate": 30, "low": 0, "high": 60}, "worth 30 careful ones (95%: fewer than 25 … 60)."),
        ({"estimate": 0, "low": 0, "high": 0}, "worth fewer than 25 careful ones (95%: fewer than 25)."),
        ({"estimate": None, "low": None, "high": None}, "reach (95%: more than 400)."),
    ],
)
def test_a_worth_beyond_the_curve(worth: dict[str, Any], sentence: str) -> None:
    assert sentences(numbers(worth=worth))[-1].endswith(sentence)


def test_other_sentences() -> None:
    assert sentences(numbers(cheap_rows=500))[0].endswith("of all 500 careful ones.")
    worse = sentences(numbers(gain={"estimate": -0.1, "low": -0.15, "high": -0.05}))[1]
    assert "it falls below its labels by 10.0 points (95%: -15.0 … -5.0): use the labels" in worse
    unclear = sentences(numbers(gain={"estimate": -0.01, "low": -0.05, "high": 0.03}))[1]
    assert "it is below its labels by 1.0 points (95%: -5.0 … +3.0): with 0 inside, no difference is shown." in unclear
    assert "cannot be told from 30: the curve" in sentences(numbers(worth=None, careful=30))[-1]


# The command.


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--student", "minlm"], 'unknown student "minlm"; did you mean "minilm"?'),
        (["--method", "confidance"], 'unknown method "confidance"; did you mean "confidence"?'),
        (["--label", "ruel"], "has no column 'ruel' for label; did you mean \"rule\"?"),
        (["--text", "body"], "has no column 'body' for text"),
        (["--choose"], "--choose: needs careful labels; give them by --truth"),
        (["--mix"], "--mix: needs careful labels; give them by --truth"),
        (["--student", "{probe: minilm"], "--student: is not YAML"),
        (["--student", "{static: wordllama, layer: 3}"], 'static: unknown option "layer"'),
        (["--label", "rule,rule"], "--label: column 'rule' is named twice"),
        (["--student", "{finetune: minilm, pooling: mean}"], "would leave a student that transformers cannot load"),
        (["--student", "{finetune: minilm}", "--l2", "1"], "--l2: this kind of student has no such option"),
    ],
)
def test_what_the_command_refuses(files: Path, tmp_path: Path, options: list[str], sentence: str) -> None:
    usual = {"--text": "text", "--label": "rule", "--student": "wordllama", "--out": str(tmp_path / "student")}
    given = dict(zip(options[::2], options[1::2], strict=False))
    words = [word for pair in {**usual, **given}.items() for word in pair]
    words += [option for option in options if option not in {**usual, **given} and option.startswith("--")]
    ran = CliRunner().invoke(app, ["teach", str(files / "labels.csv"), *words])
    assert isinstance(ran.exception, UsageError)
    assert sentence in str(ran.exception)
    assert not (tmp_path / "student").exists()


def test_nothing_is_left_to_choose(files: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--choose: nothing is left to choose; take away --method or --l2"):
        teach_files(
            files / "labels.csv",
            text="text",
            columns=["rule"],
            out=tmp_path / "student",
            student="wordllama",
            truth=files / "gold.csv",
            choose=True,
            method="naive",
            l2=0.1,
        )


QUIET = """
import sys
from outgrow.cli import app
from outgrow.core import UsageError
try:
    app(sys.argv[1:], standalone_mode=False)
except UsageError as error:
    print(error)
assert not {"torch", "transformers", "sklearn"} & set(sys.modules)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["teach", "--help"],
        ["predict", "--help"],
        ["predict", "no-student", "new.csv", "-o", "out.csv"],
        ["teach", "no.csv", "--text", "text", "--label", "x", "--student", "minlm", "--out", "out"],
    ],
)
def test_help_and_mistakes_do_not_load_torch(arguments: list[str], tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", QUIET, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        teach_files(tmp_path / "no.csv", text="text", columns=["rule"], out=tmp_path, student="minlm", method="nave")
    assert len(caught.value.problems) == 3


ALONE = """
import json, sys
from transformers import pipeline
ask = pipeline("text-classification", sys.argv[1], top_k=None, device="cpu")
json.dump(ask(json.load(sys.stdin), truncation=True), sys.stdout)
assert "outgrow" not in sys.modules
"""


def test_a_finetuned_student_is_loaded_by_transformers_alone(tmp_path: Path, files: Path) -> None:
    rows = read(files / "labels.csv")[:40]
    names = {"0": "bad", "1": "good"}
    write(tmp_path / "labels.csv", ["text", "rule"], [(row[0], names[row[3]]) for row in rows])
    teach_files(
        tmp_path / "labels.csv",
        text="text",
        columns=["rule"],
        out=tmp_path / "student",
        student={"finetune": "minilm", "epochs": 2, "lr": 1e-3},
    )
    texts = [*(row[0] for row in rows[:10]), "A text of many words. " * 200]
    kept = load(tmp_path / "student")
    ours = kept.student.reader("cpu")(texts, unheard)
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path / "student")],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    theirs = [{one["label"]: one["score"] for one in row} for row in json.loads(ran.stdout)]
    assert kept.classes == ("bad", "good")
    np.testing.assert_allclose([[row[name] for name in kept.classes] for row in theirs], ours, atol=1e-5)
    assert np.ptp(ours) > 0.1
    assert "library_name: transformers" in (tmp_path / "student" / "README.md").read_text()
