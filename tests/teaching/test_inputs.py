"""Inputs other than texts go through teach and predict: preferences, questions with answers, a type of one's own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from taught import write
from typer.testing import CliRunner

from outgrow.cli.app import app
from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.inputs.choice import Choice
from outgrow.tasks.sentiment import sentiment
from outgrow.teaching.labels.dataset import read_dataset
from outgrow.teaching.labels.dataset_notes import notes
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.saved.predict_files import predict_file
from outgrow.teaching.saved.saved_student import load
from outgrow.teaching.students import no_progress
from outgrow.teaching.teach_files import teach_files

NUMBERS = Path(__file__).parents[2] / "examples" / "plugins" / "number_lists.py"


def sentences(seed: int = 0) -> tuple[list[str], list[str]]:
    """Kind and unkind sentences."""
    task = sentiment()
    order = np.random.default_rng(seed).permutation(len(task.inputs))
    texts = [(task.inputs[row], int(task.labels[row])) for row in order.tolist()]
    return [text for text, label in texts if label == 1], [text for text, label in texts if label == 0]


def pairs(folder: Path, *, wrong: float = 0.2) -> Path:
    """pairs.jsonl: which of two reviews is the kinder; gold.jsonl: 120 of them and 80 others, all right."""
    random = np.random.default_rng(1)
    kind, unkind = sentences()
    rows = [{"prompt": f"Review {place}:", "good": kind[place], "bad": unkind[place]} for place in range(700)]
    turned = random.random(len(rows)) < wrong
    cheap = [
        {**row, "good": row["bad"], "bad": row["good"]} if turn else row for row, turn in zip(rows, turned, strict=True)
    ]
    for name, some in (("pairs", cheap[:620]), ("gold", rows[500:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    return folder


CHOSEN = {"prompt": "prompt", "chosen": "good", "rejected": "bad"}


@pytest.fixture(scope="module")
def preferences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = pairs(tmp_path_factory.mktemp("pairs"))
    where: dict[str, Any] = {"inputs": CHOSEN, "student": "wordllama", "truth": folder / "gold.jsonl"}
    report = teach_files(folder / "pairs.jsonl", **where, out=folder / "student", store=folder / "store")
    (folder / "report.json").write_text(json.dumps(report.plain()))
    return folder


def answers(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_preferences_teach_a_student_that_outgrows_them(preferences: Path) -> None:
    report = json.loads((preferences / "report.json").read_text())
    assert report["cheap_accuracy"]["estimate"] == pytest.approx(0.8, abs=0.08)
    assert report["student_accuracy"]["estimate"] > report["cheap_accuracy"]["estimate"]
    assert report["taught"] == 500
    assert report["corrections"] == 2  # as of texts
    card = (preferences / "student" / "README.md").read_text()
    assert "which of several texts is the best" in card
    assert "`prompt, good, bad` of a row" in card
    assert "higher is better" in card


def test_swapped_candidates_get_swapped_probabilities_and_single_texts_a_score(preferences: Path) -> None:
    rows = answers(preferences / "gold.jsonl")
    kept, out = load(preferences / "student"), preferences / "out.jsonl"
    predict_file(kept, str(preferences / "gold.jsonl"), str(out), device="cpu")
    found = answers(out)
    assert np.mean([row["label"] == "0" for row in found]) > 0.8  # the first is the better one in every row
    ask = {"prompt": "prompt", "a": "bad", "b": "good"}
    predict_file(kept, str(preferences / "gold.jsonl"), str(out), inputs=ask, device="cpu")
    for one, other in zip(found, answers(out), strict=True):
        assert one["p_0"] == pytest.approx(other["p_1"], abs=1e-6)
        assert one["label"] != other["label"]
        assert one["p_0"] + one["p_1"] == pytest.approx(1, abs=1e-6)
        assert one["margin"] == pytest.approx(abs(one["p_0"] - one["p_1"]), abs=1e-6)
    for side in ("good", "bad"):
        predict_file(
            kept, str(preferences / "gold.jsonl"), str(preferences / f"{side}.jsonl"), inputs=f"{{prompt}}\n{{{side}}}"
        )
    scores = [[row["score"] for row in answers(preferences / f"{side}.jsonl")] for side in ("good", "bad")]
    odds = np.array(scores[0]) - np.array(scores[1])
    np.testing.assert_allclose([row["p_0"] for row in found], 1 / (1 + np.exp(-odds)), atol=1e-5)
    assert "p_0" not in answers(preferences / "good.jsonl")[0]
    assert len(rows) == len(odds)


def test_others_load_the_scores(preferences: Path) -> None:
    transformers = pytest.importorskip("sentence_transformers")
    texts = [f"{row['prompt']}\n{row['good']}" for row in answers(preferences / "gold.jsonl")][:20]
    write(preferences / "texts.csv", ["text"], [[text] for text in texts])
    predict_file(
        load(preferences / "student"),
        str(preferences / "texts.csv"),
        str(preferences / "scores.jsonl"),
        inputs="text",
        device="cpu",
    )
    theirs = transformers.SentenceTransformer(str(preferences / "student"), device="cpu").encode(texts)[:, 0]
    np.testing.assert_allclose([row["score"] for row in answers(preferences / "scores.jsonl")], theirs, atol=1e-4)


def test_the_command_takes_preferences(preferences: Path, tmp_path: Path) -> None:
    command = ["teach", str(preferences / "pairs.jsonl"), "--chosen", "good", "--rejected", "bad", "--prompt", "prompt"]
    more = ["--student", "wordllama", "--method", "naive", "--store", str(tmp_path / "store")]
    result = CliRunner().invoke(app, [*command, *more, "--out", str(tmp_path / "student")])
    assert result.exit_code == 0, result.output
    ask = ["predict", str(tmp_path / "student"), str(preferences / "gold.jsonl"), "-o", str(tmp_path / "out.csv")]
    assert CliRunner().invoke(app, ask).exit_code == 0
    wrong = CliRunner().invoke(app, [*ask, "--inputs", "{numbers: good}"])
    assert "'numbers' is none of the columns" in str(wrong.exception)
    both = CliRunner().invoke(app, [*command, *more, "--inputs", "{a: good, b: bad}", "--out", str(tmp_path / "other")])
    assert "--inputs, --chosen: name all columns by the one or by the other" in str(both.exception)


ALONE = """
import json, sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
folder = sys.argv[1]
model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
assert model.config.num_labels == 1
scores = []
for text in json.load(sys.stdin):
    with torch.no_grad():
        scores.append(model(**tokenizer(text, return_tensors="pt", truncation=True)).logits[0, 0].item())
json.dump(scores, sys.stdout)
assert "outgrow" not in sys.modules
"""


@pytest.mark.slow
def test_a_finetuned_reward_model_is_loaded_by_transformers_alone(tmp_path: Path) -> None:
    words = tiny_models.SENTENCE.split()
    rows = [{"good": " ".join(words[at : at + 9]), "bad": " ".join(words[at : at + 3])} for at in range(9)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    student = {"finetune": str(tiny_models.make("bert", tmp_path / "bert")), "lr": 1e-3}
    where = {"chosen": "good", "rejected": "bad"}
    teach_files(tmp_path / "pairs.jsonl", inputs=where, out=tmp_path / "student", student=student)
    texts = [row[side] for row in rows for side in ("good", "bad")]
    ours = load(tmp_path / "student").student.reader("cpu", scores=True)(texts, no_progress)
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path / "student")],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    np.testing.assert_allclose(json.loads(ran.stdout), ours, atol=1e-5)
    assert np.ptp(ours) > 0.01


def questions(folder: Path) -> Path:
    """Questions with two to four answers, labelled by three voters with the answer's column, its place or its text."""
    kind, unkind = sentences(3)
    random = np.random.default_rng(0)
    rows, gold = [], []
    for place in range(240):
        count = 2 + place % 3
        right = int(random.integers(count))
        cells = [kind[place] if at == right else unkind[3 * place % 900 + at] for at in range(count)]
        cells += [""] * (4 - count)
        votes = [right if random.random() > 0.25 else int(random.integers(count)) for _ in range(3)]
        rows.append([f"Question {place}", *cells, "wxyz"[votes[0]], votes[1], cells[votes[2]]])
        gold.append([f"Question {place}", *cells, right])
    header = ["q", "w", "x", "y", "z"]
    write(folder / "labels.csv", [*header, "one", "two", "three"], rows)
    write(folder / "gold.csv", [*header, "label"], gold[160:])
    return folder


@pytest.mark.slow
def test_questions_with_several_answers_and_voters(tmp_path: Path) -> None:
    folder = questions(tmp_path)
    report = teach_files(
        folder / "labels.csv",
        inputs={"context": "q", "candidates": ["w", "x", "y", "z"]},
        columns=["one", "two", "three"],
        truth=folder / "gold.csv",
        student="wordllama",
        out=folder / "student",
        store=folder / "store",
    )
    assert report.cheap_accuracy is not None
    assert report.student_accuracy is not None
    assert report.cheap_accuracy.estimate > 0.8
    assert report.student_accuracy.estimate > 0.5  # chance is .36
    predict_file(load(folder / "student"), str(folder / "gold.csv"), str(folder / "out.jsonl"), device="cpu")
    for row in answers(folder / "out.jsonl"):
        there = [at for at, column in enumerate("wxyz") if row[column]]
        assert sum(row[f"p_{at}"] for at in there) == pytest.approx(1, abs=1e-5)  # nothing on places that are not there
        assert int(row["label"]) in there
        assert row[f"p_{row['label']}"] == max(row[f"p_{at}"] for at in there)


def test_a_tie_is_a_label_of_a_half_each(tmp_path: Path) -> None:
    rows = [("p", "left", "right", "a"), ("q", "left", "right", "b"), ("r", "left", "right", "tie")]
    write(tmp_path / "labels.csv", ["c", "one", "two", "who"], rows)
    reading = Reading.of({"context": "c", "a": "one", "b": "two"})
    data = read_dataset(tmp_path / "labels.csv", reading=reading, form=Form.of(["who"]))
    joined = data.over_pool(data.given.joined("mean")[0])
    right = {"p": "left", "q": "right"}
    for value, row in zip(data.pool.inputs, joined.tolist(), strict=True):
        assert isinstance(value, Choice)
        assert (
            row == [right[value.context] == text for text in value.candidates] if value.context != "r" else [0.5, 0.5]
        )
    voted = read_dataset(tmp_path / "labels.csv", reading=reading, form=Form.of(["who"], None, "c"))
    assert "1 label of labels.csv is a tie, and left out" in notes(voted, "labels.csv", "")


def test_choices_under_one_context_share_a_fold(tmp_path: Path) -> None:
    rows = [(f"context {place // 5}", f"left {place}", f"right {place}", "ab"[place % 2]) for place in range(100)]
    write(tmp_path / "labels.csv", ["c", "one", "two", "label"], rows)
    write(tmp_path / "gold.csv", ["c", "one", "two", "label"], rows[:60])
    reading = Reading.of({"context": "c", "a": "one", "b": "two"})
    data = read_dataset(tmp_path / "labels.csv", reading=reading, form=Form.of(["label"]), truth=tmp_path / "gold.csv")
    from outgrow.teaching.steps import folds

    groups = data.pool.groups[data.pool.labels >= 0]
    parts = folds(groups, 0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(60))
    where = {
        str(group): {place for place, part in enumerate(parts) if (groups[part] == group).any()} for group in groups
    }
    assert all(len(places) == 1 for places in where.values())


OWN = """
from outgrow.models.heads.static import Static


class Spelled(Static):
    \"\"\"Numbers by the embeddings of their digits' words.\"\"\"

    reads = frozenset({"numbers"})

    def reader(self, location, device):
        read = super().reader(location, device)
        words = ["far below", "below", "above", "far above"]
        return lambda inputs, progress: read(
            [" ".join(words[min(3, max(0, int(number + 2)))] for number in one) for one in inputs], progress
        )
"""


@pytest.mark.slow
def test_a_type_and_a_model_of_ones_own_are_taught_kept_and_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spelled.py").write_text(OWN)
    random = np.random.default_rng(0)
    truth = np.arange(300) % 2
    points = random.normal(size=(300, 4)) + 2 * truth[:, None]
    labels = np.where(random.random(300) < 0.15, 1 - truth, truth)
    header = ["point", "label"]
    cells = [" ".join(f"{number:.3f}" for number in point) for point in points]
    write(tmp_path / "labels.csv", header, list(zip(cells, labels.tolist(), strict=True)))
    write(tmp_path / "gold.csv", header, list(zip(cells, truth.tolist(), strict=True))[:100])
    inputs = {"inputs": f"{NUMBERS}:NumberList", "numbers": "point"}
    report = teach_files(
        tmp_path / "labels.csv",
        inputs=inputs,
        columns=["label"],
        truth=tmp_path / "gold.csv",
        student={f"{tmp_path / 'spelled.py'}:Spelled": "wordllama"},
        method="naive",
        out=tmp_path / "student",
        store=tmp_path / "store",
    )
    assert report.student_accuracy is not None
    assert report.student_accuracy.estimate > 0.85
    monkeypatch.setattr("outgrow.core.registry.FILES", {})  # as in another process
    with pytest.raises(OutgrowError, match="takes it by --plugin"):
        load(tmp_path / "student")
    ask = ["predict", str(tmp_path / "student"), str(tmp_path / "gold.csv"), "-o", str(tmp_path / "out.jsonl")]
    plugins = ["--plugin", str(tmp_path / "spelled.py"), "--plugin", str(NUMBERS)]
    result = CliRunner().invoke(app, [*ask, *plugins])
    assert result.exit_code == 0, result.output
    found = answers(tmp_path / "out.jsonl")
    assert np.mean([row["label"] == row["input_label"] for row in found]) > 0.85
    assert str(tmp_path) not in (tmp_path / "student" / "student.json").read_text()


def test_inputs_that_do_not_fit_are_sentences(tmp_path: Path) -> None:
    write(tmp_path / "labels.csv", ["q", "one", "two", "who"], [("p", "left", "right", "a")] * 2)

    def problems(**options: Any) -> list[str]:
        with pytest.raises(UsageError) as error:
            teach_files(tmp_path / "labels.csv", out=tmp_path / "out", store=tmp_path / "store", **options)
        return list(error.value.problems)

    assert problems(columns=["who"]) == [
        "--text: name the column of the texts; of other inputs their columns, by --image, --chosen or --inputs"
    ]
    assert problems(inputs={"a": "one", "b": "two", "text": "q"}, columns=["who"]) == [
        "--inputs: 'text' is none of the columns of a choice; did you mean \"context\"?"
    ]
    assert problems(inputs={"chosen": "one", "rejected": "two"}, columns=["who"]) == [
        "--label, --probabilities: the columns of the inputs say which is right: leave the labels out",
        f"{tmp_path / 'labels.csv'}: all 2 choices are the same; is 'one' and 'two' the right column?",
    ]
    assert problems(inputs={"a": "one"}, columns=["who"])[0] == "--inputs: `b` is missing: name the column"
    assert problems(inputs={"inputs": f"{NUMBERS}:NumberList", "numbers": "q"}, columns=["who"])[0] == (
        "--student: name one that reads inputs of type numbers, such as the folder or hub name of a pretrained model"
    )
