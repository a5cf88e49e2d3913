"""`outgrow teach` as its user meets it: what it says, what it refuses, and what it leaves."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from taught import make_files, read, write
from typer.testing import CliRunner

from outgrow.cli.app import app
from outgrow.core.errors import UsageError
from outgrow.teaching.saved.saved_student import load
from outgrow.teaching.sentences import sentences
from outgrow.teaching.students import no_progress
from outgrow.teaching.teach_files import teach_files

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_files(tmp_path_factory.mktemp("files"))


SURE = {"estimate": 0.8, "low": 0.75, "high": 0.85}


def numbers(**changed: Any) -> dict[str, Any]:
    worth = {"estimate": 180, "low": 120, "high": 310, "smallest": 25, "largest": 400, "points": []}
    known = {
        "taught": 4000,
        "careful": 500,
        "cheap_rows": 300,
        "mixed": False,
        "joined_by": None,
        "joins": [],
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
        "The student is right on .800 (95%: .750 … .850) of all 500. Where both are known, it beats the cheap labels by "
        "10.0 points (95%: +5.0 … +15.0).",
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
    worse = sentences(numbers(gain={"estimate": -0.1, "low": -0.15, "high": -0.05}))
    assert worse[0].startswith(
        "Warning: the student is worse than its cheap labels, by 10.0 points (95%: -15.0 … -5.0) where both are known. "
        "Where a text has a cheap label, keep that;"
    )
    unclear = sentences(numbers(gain={"estimate": -0.01, "low": -0.05, "high": 0.03}))
    assert unclear[0].startswith(
        "Warning: the student is not shown to be better than its cheap labels: it is below them by 1.0 points (95%: -5.0 … "
        "+3.0) where both are known, and 0 is inside. "
    )
    likely = sentences(numbers(gain={"estimate": 0.02, "low": -0.01, "high": 0.05}))
    assert likely[0].startswith(
        "Warning: the student is not shown to be better than its cheap labels: it is above them by 2.0 "
    )
    assert "It may well be: more careful labels" in likely[0]
    assert unclear[2] == worse[2] == "The student is right on .800 (95%: .750 … .850) of all 500."
    known = {"temperature": 2.25, "before": 0.118, "after": 0.041, "applied": True}
    assert sentences(numbers(calibration=known))[2] == (
        "Its probabilities are calibrated by a temperature of 2.25: their calibration error is .041, without it .118."
    )
    assert sentences(numbers(calibration=known | {"applied": False}))[2].startswith(
        "Its probabilities are as learned, with a calibration error of .118: a temperature is not shown"
    )
    assert "cannot be estimated from 30: the curve" in sentences(numbers(worth=None, careful=30))[-1]
    assert sentences(numbers(worth=None, worth_counted=False))[-1] == (
        "How many careful labels would have done as well was not counted: the same command without --no-worth counts it."
    )


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
        (["--probabilities", "p_0,p_1"], "--label and --probabilities exclude each other"),
        (["--voter", "writer"], "has no column 'writer' for the voter"),
        (
            ["--label", "rule,model", "--voter", "person"],
            "--voter: each row is then one vote, so name its label by one",
        ),
        (["--student", "{finetune: minilm, pooling: mean}"], "would leave a student that transformers cannot load"),
        (["--student", "{probe: minilm, l2: [0.1, 1]}"], "`l2` is one number here: leave it out, and let --choose"),
        (["--student", "{static: wordllama, rows: 5}"], "`rows` is for supervisors of `outgrow run`"),
        (["--student", "{finetune: minilm, keep: students}"], "`keep` is for `outgrow run`"),
        (["--method", "generative"], "is not finetuned: name the student as finetune:"),
        (["--method", "{early_stop: {on: truth}}"], "looks at the careful labels that it would then be measured by"),
        (["--method", "{confidence: {alpha: [0.2, 0.5], select_on: truth}}"], "it would then be measured by"),
        (["--device", "gpu"], "--device gpu: is not a device; choose auto, cpu, mps, cuda, cuda:1, or cuda:0,cuda:1"),
        (["--device", "cuda:99"], "--device cuda:99: there is no such device here"),
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


def test_without_gold_it_says_what_cannot_be_known(files: Path, tmp_path: Path) -> None:
    arguments = ["teach", str(files / "labels.csv"), "--text", "text", "--label", "rule", "--student", "wordllama"]
    ran = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "student")])
    assert ran.exit_code == 0, ran.output
    assert "The student learned 800 cheap labels and repeats" in ran.output
    assert "cannot be known from cheap labels alone" in ran.output
    assert "Nothing is known of its accuracy" in (tmp_path / "student" / "README.md").read_text()


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
from outgrow.cli.app import app
from outgrow.core.errors import UsageError
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


@pytest.mark.slow
def test_a_finetuned_student_is_loaded_by_transformers_alone(tmp_path: Path, files: Path) -> None:
    texts = [*dict.fromkeys(tiny_models.TEXTS), tiny_models.SENTENCE * 20]
    write(tmp_path / "labels.csv", ["text", "rule"], [(text, ["bad", "good"]["film" in text]) for text in texts])
    body = str(tiny_models.make("bert", tmp_path / "bert"))
    teach_files(
        tmp_path / "labels.csv",
        text="text",
        columns=["rule"],
        out=tmp_path / "student",
        student={"finetune": body, "lr": 1e-2},
    )
    kept = load(tmp_path / "student")
    ours = kept.student.reader("cpu")(texts, no_progress)
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


def test_a_finetuned_student_is_measured_as_any_other(tmp_path: Path, files: Path) -> None:
    rows = read(files / "labels.csv")[:60]
    names = {"0": "bad", "1": "good"}
    careful = [(text, names[label]) for text, label in read(files / "gold.csv")[120:180]]
    write(tmp_path / "labels.csv", ["text", "rule"], [(row[0], names[row[3]]) for row in rows])
    write(tmp_path / "gold.csv", ["text", "label"], careful)
    report = teach_files(
        tmp_path / "labels.csv",
        text="text",
        columns=["rule"],
        out=tmp_path / "student",
        student={"finetune": str(tiny_models.make("bert", tmp_path / "bert")), "epochs": 1, "max_length": 16},
        truth=tmp_path / "gold.csv",
    )
    said = load(tmp_path / "student").student.reader("cpu")([text for text, _ in careful], no_progress)
    right = np.mean([["bad", "good"][row.argmax()] == label for row, (_, label) in zip(said, careful, strict=True)])
    assert report.student_accuracy is not None
    assert report.student_accuracy.estimate == pytest.approx(right)
    assert report.worth is not None
    assert [point["size"] for point in report.plain()["worth"]["points"]] == [25, 48]


def test_what_older_versions_tried_has_no_loss() -> None:
    tried = [{"method": name, "l2": 0.03, "weight": 0, "accuracy": 0.8} for name in ("confidence", "naive")]
    assert sentences(numbers(tried=tried)) == sentences(numbers())
