"""The scikit-learn estimator beside `outgrow teach`: the same student, report and folder, and class names that stay."""

import csv
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import tiny_models
from saved_students import saved
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from taught import make_files, read
from typer.testing import CliRunner

from outgrow import OutgrowError, UsageError, WeakToStrongClassifier
from outgrow.cli.app import app
from outgrow.execution.machine import Machine
from outgrow.teaching.report import Report
from outgrow.teaching.saved.saved_student import load
from outgrow.teaching.teach_files import teach_files

pytestmark = pytest.mark.usefixtures("one_thread")
STUDENT = "static:wordllama"
Rows = tuple[list[str], list[Any], list[Any]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def rows(files: Path) -> Rows:
    """The rows of both files: texts, weak labels, careful labels; None where there is none."""
    weak = {row[0]: int(row[1]) for row in read(files / "labels.csv")}
    careful = {row[0]: int(row[1]) for row in read(files / "gold.csv")}
    texts = [*weak, *(text for text in careful if text not in weak)]
    return texts, [weak.get(text) for text in texts], [careful.get(text) for text in texts]


@pytest.fixture(scope="module")
def fitted(rows: Rows) -> WeakToStrongClassifier:
    texts, weak, careful = rows
    return WeakToStrongClassifier(STUDENT).fit(texts, weak, truth=careful)


def written(probabilities: np.ndarray) -> list[list[float]]:
    """Probabilities as `outgrow predict` writes them."""
    return [[float(f"{value:.7g}") for value in row] for row in probabilities.tolist()]


def answers(folder: Path, texts: list[str], place: Path) -> tuple[list[str], list[list[float]]]:
    """The classes and probabilities that `outgrow predict` writes."""
    with (place / "new.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    command = ["predict", folder, place / "new.csv", "-o", place / "out.csv", "--device", "cpu", "--threads", 1]
    done = CliRunner().invoke(app, list(map(str, command)))
    assert done.exit_code == 0, done.output
    with (place / "out.csv").open(newline="", encoding="utf-8") as file:
        told = list(csv.DictReader(file))
    names = [name.removeprefix("p_") for name in told[0] if name.startswith("p_")]
    return names, [[float(row[f"p_{name}"]) for name in names] for row in told]


@pytest.mark.slow
def test_it_is_the_student_that_teach_makes_of_the_same_rows(
    files: Path, rows: Rows, fitted: WeakToStrongClassifier, tmp_path: Path
) -> None:
    report = teach_files(
        files / "labels.csv", text="text", columns=["rule"], truth=files / "gold.csv", student=STUDENT,
        out=tmp_path / "student", store=tmp_path / "store", machine=Machine(threads=1),
    )  # fmt: skip
    assert fitted.report_.worth is not None
    assert replace(fitted.report_, notes=()) == replace(report, notes=())
    assert len(fitted.report_.notes) >= len(report.notes)
    fitted.save(tmp_path / "saved")
    weights = [path.relative_to(tmp_path / "saved") for path in (tmp_path / "saved").rglob("*.safetensors")]
    assert weights
    for path in weights:
        assert (tmp_path / "saved" / path).read_bytes() == (tmp_path / "student" / path).read_bytes()
    of_teach = WeakToStrongClassifier.load(tmp_path / "student")
    np.testing.assert_array_equal(of_teach.predict_proba(rows[0]), fitted.predict_proba(rows[0]))
    assert of_teach.classes_.tolist() == ["0", "1"]
    assert of_teach.report_ == report


def test_without_careful_labels_too(files: Path, rows: Rows, tmp_path: Path) -> None:
    labelled = [(text, label) for text, label in zip(rows[0], rows[1], strict=True) if label is not None]
    made = WeakToStrongClassifier(STUDENT).fit(*map(list, zip(*labelled, strict=True)))
    report = teach_files(
        files / "labels.csv", text="text", columns=["rule"], student=STUDENT, out=tmp_path / "student",
        store=tmp_path / "store", machine=Machine(threads=1),
    )  # fmt: skip
    assert made.report_ == report
    assert "confident_learning" in report.method
    again = WeakToStrongClassifier.load(tmp_path / "student")
    np.testing.assert_array_equal(again.predict_proba(rows[0]), made.predict_proba(rows[0]))


def test_a_saved_student_predicts_the_same_bits(rows: Rows, fitted: WeakToStrongClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "student")
    expected = fitted.predict_proba(rows[0])
    names, told = answers(tmp_path / "student", rows[0], tmp_path)
    assert names == ["0", "1"]
    assert told == written(expected)
    again = WeakToStrongClassifier.load(tmp_path / "student")
    np.testing.assert_array_equal(again.predict_proba(rows[0]), expected)
    assert again.predict(rows[0]).tolist() == fitted.predict(rows[0]).tolist()
    assert again.classes_.dtype == fitted.classes_.dtype == np.dtype(int)
    assert again.report_ == fitted.report_ == Report.read(json.loads(json.dumps(fitted.report_.plain())))
    assert again.get_params() == fitted.get_params()
    again.save(tmp_path / "again")
    for path in (tmp_path / "student").rglob("*"):
        if path.is_file():
            other = tmp_path / "again" / path.relative_to(tmp_path / "student")
            assert other.read_bytes() == path.read_bytes(), path
    unpickled = pickle.loads(pickle.dumps(again))
    np.testing.assert_array_equal(unpickled.predict_proba(rows[0]), expected)
    assert not hasattr(clone(again), "report_")


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
def test_a_finetuned_student_is_saved_and_loaded(tmp_path: Path) -> None:
    texts = list(dict.fromkeys(tiny_models.TEXTS))
    body = tiny_models.make("bert", tmp_path / "bert", initializer_range=0.3)
    made = WeakToStrongClassifier({"finetune": str(body), "epochs": 2}).fit(texts, ["film" in text for text in texts])
    made.save(tmp_path / "student")
    again = WeakToStrongClassifier.load(tmp_path / "student")
    np.testing.assert_array_equal(again.predict_proba(texts), made.predict_proba(texts))
    assert answers(tmp_path / "student", texts, tmp_path)[1] == written(made.predict_proba(texts))
    assert again.classes_.tolist() == [False, True]
    assert str(tmp_path) not in (tmp_path / "student" / "student.json").read_text()


def test_soft_labels_keep_their_class_names(rows: Rows, tmp_path: Path) -> None:
    texts, weak = rows[0][:300], np.array(rows[1][:300])
    shares = 0.5 + (np.eye(2)[weak] - 0.5) * 0.8
    frame = pandas.DataFrame(shares[:, ::-1], columns=["praise", "complaint"])
    by_frame = WeakToStrongClassifier(STUDENT, method="naive").fit(texts, frame)
    by_name = WeakToStrongClassifier(STUDENT, method="naive").fit(texts, shares, classes=["complaint", "praise"])
    assert by_frame.classes_.tolist() == by_name.classes_.tolist() == ["complaint", "praise"]
    np.testing.assert_array_equal(by_frame.predict_proba(texts), by_name.predict_proba(texts))
    names = np.array(["complaint", "praise"])[weak]
    assert by_frame.score(texts, frame) == by_name.score(texts, shares) == by_frame.score(texts, names) > 0.7
    assert roc_auc_score(names, by_frame.predict_proba(texts)[:, 1]) > 0.7
    by_frame.save(tmp_path / "student")
    assert load(tmp_path / "student").classes == ("complaint", "praise")
    with pytest.raises(ValueError, match="classes are 2 different names, one for each column"):
        WeakToStrongClassifier(STUDENT).fit(texts, shares, classes=["praise"])
    with pytest.raises(ValueError, match="classes names the columns of soft weak labels"):
        WeakToStrongClassifier(STUDENT).fit(texts, names, classes=["praise", "complaint"])


@pytest.mark.slow
def test_careful_labels_of_soft_ones_and_folds_of_both(rows: Rows) -> None:
    """What scikit-learn deals into folds, it deals with the careful label of each text."""
    labelled = [place for place, label in enumerate(rows[1]) if label is not None][-160:]
    labelled = np.random.default_rng(0).permutation(labelled).tolist()  # the careful ones come last
    texts = [rows[0][place] for place in labelled]
    weak, careful = (np.array([part[place] for place in labelled], dtype=object) for part in rows[1:])
    frame = pandas.DataFrame(np.eye(2)[weak.astype(int)], columns=["0", "1"])
    as_names = np.array([None if one is None else str(one) for one in careful], dtype=object)
    soft = WeakToStrongClassifier(STUDENT, method="naive").fit(texts, frame, truth=as_names)
    hard = WeakToStrongClassifier(STUDENT, method="naive").fit(texts, weak, truth=pandas.Series(careful, dtype="Int64"))
    assert soft.report_.student_accuracy == hard.report_.student_accuracy
    assert soft.report_.careful == sum(one is not None for one in careful)
    scores = cross_val_score(
        WeakToStrongClassifier(STUDENT, method="naive"),
        texts,
        weak.astype(int),
        cv=2,
        params={"truth": careful},
        error_score="raise",
    )
    assert scores.min() > 0.5


@pytest.mark.parametrize(
    ("truth", "error", "sentence"),
    [
        ([1, 0], ValueError, r"60 texts and truth of shape \[2\]"),
        ([1] + [None] * 59, UsageError, "truth: 1 texts with a careful label are too few to measure anything by"),
        ([1] * 29 + [None] * 31, UsageError, "truth: column 'truth' says '1' in every row"),
        (
            [0, 1] * 14 + [2] + [None] * 31,
            UsageError,
            "truth: label '2' in row 28 is not one of the classes in weak labels",
        ),
        ([0, 1] * 30, UsageError, "weak labels: every text with a cheap label is in truth too"),
    ],
)
def test_careful_labels_that_do_not_fit(rows: Rows, truth: list[Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        WeakToStrongClassifier(STUDENT).fit(rows[0][:60], rows[1][:60], truth=truth)


def test_what_else_is_refused(rows: Rows, tmp_path: Path) -> None:
    texts, weak = rows[0][:60], rows[1][:60]
    careful = [0, 1] * 14 + [None] * 32
    with pytest.raises(ValueError, match="sample_weight and truth exclude each other"):
        WeakToStrongClassifier(STUDENT).fit(texts, weak, np.ones(60), truth=careful)
    with pytest.raises(ValueError, match="the weak label at 40 is missing"):
        WeakToStrongClassifier(STUDENT).fit(texts, [*weak[:40], None, *weak[41:]], truth=careful)
    with pytest.raises(ValueError, match=r"class '1\.0' has no name of its own"):
        WeakToStrongClassifier(STUDENT).fit(texts, ["1", "1.0"] * 30)
    with pytest.raises(NotFittedError):
        WeakToStrongClassifier(STUDENT).save(tmp_path / "student")
    with pytest.raises(UsageError, match="there is no such folder; `outgrow teach` writes one"):
        WeakToStrongClassifier.load(tmp_path / "none")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    made = WeakToStrongClassifier(STUDENT, method="naive").fit(texts, weak)
    with pytest.raises(UsageError, match="is a folder with other things in it"):
        made.save(tmp_path / "full")


def test_a_student_of_other_inputs_is_not_loaded(files: Path, tmp_path: Path) -> None:
    texts = [row[0] for row in read(files / "labels.csv")[:60]]
    with (tmp_path / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["good", "bad"], *zip(texts[:30], texts[30:], strict=True)])
    teach_files(
        tmp_path / "pairs.csv", inputs={"chosen": "good", "rejected": "bad"}, student=STUDENT, out=tmp_path / "student",
        store=tmp_path / "store",
    )  # fmt: skip
    with pytest.raises(UsageError, match="holds a student that reads inputs of type choice, and"):
        WeakToStrongClassifier.load(tmp_path / "student")


def test_an_older_student_without_todays_numbers_is_not_loaded(tmp_path: Path, tiny: str) -> None:
    saved(tmp_path / "student", tiny)
    with pytest.raises(OutgrowError, match=r"its student\.json lacks numbers that a report has now; teach it again"):
        WeakToStrongClassifier.load(tmp_path / "student")
