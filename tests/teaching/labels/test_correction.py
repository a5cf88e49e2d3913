"""Cheap labels corrected by careful ones: against probabilities known by construction, and that nothing leaks."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from taught import make_files, read, write

from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.store import Store
from outgrow.teaching.labels.correction import Clues, corrected, dealt, lengths, trusted
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.options import CORRECTED_WEIGHT, CORRECTIONS, Candidate, for_labels, learning
from outgrow.teaching.report import Report
from outgrow.teaching.steps import dataset_step, folds
from outgrow.teaching.teach import Laboratory, Work, work_on
from outgrow.teaching.teach_files import teach_files

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real sentences; what the labels call 0 is right, a third of the others are 0 too."""
    folder = make_files(tmp_path_factory.mktemp("files"))
    rows = [
        (text, "1" if person == "1" and place % 3 else "0")
        for place, (text, *_, person) in enumerate(read(folder / "labels.csv"))
    ]
    write(folder / "labels.csv", ["text", "rule"], rows)
    return folder


def test_the_correction_is_the_posterior_where_that_is_known() -> None:
    """Three classes, cheap labels by a known matrix, and opinions that are sharper than they should be."""
    random = np.random.default_rng(0)
    n, priors = 20_000, np.array([0.5, 0.3, 0.2])
    matrix = np.array([[0.9, 0.1, 0.0], [0.3, 0.7, 0.0], [0.1, 0.3, 0.6]])  # p(cheap | true)
    truth = random.choice(3, n, p=priors)
    cheap = np.array([random.choice(3, p=matrix[one]) for one in truth])
    signal = np.eye(3)[truth] + random.standard_normal(
        (n, 3)
    )  # its log likelihood ratios are the differences of signals
    logits = 2 * signal + 2 * np.log(priors)  # twice as sure as it may be
    opinion = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    posterior = np.exp(signal) * priors * matrix[:, cheap].T
    posterior /= posterior.sum(axis=1, keepdims=True)
    clues = Clues(opinion, np.eye(3)[cheap], np.zeros(n))
    found = corrected(clues, truth[:5000], np.arange(5000))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    # One coefficient a class cannot be a whole matrix; the rest is small.
    assert np.abs(found - posterior)[5000:].mean() < 0.03
    assert (found.argmax(axis=1) == truth)[5000:].mean() > (posterior.argmax(axis=1) == truth)[5000:].mean() - 0.005


def test_few_careful_labels_change_little() -> None:
    opinion = np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    clues = Clues(opinion, np.eye(2)[[0, 1, 1]], np.zeros(3))
    np.testing.assert_allclose(corrected(clues, np.array([], dtype=np.int64), np.arange(0)), opinion, atol=1e-4)


def test_where_long_texts_are_labelled_by_chance_short_ones_are_believed() -> None:
    random = np.random.default_rng(1)
    n = 4000
    truth, length = random.integers(2, size=n), random.uniform(-1, 1, n)
    cheap = np.where(random.random(n) < np.where(length > 0, 0.5, 0.05), 1 - truth, truth)
    found = corrected(Clues(np.full((n, 2), 0.5), np.eye(2)[cheap], length), truth[:500], np.arange(500))
    believed = found[np.arange(n), cheap]
    assert believed[length < -0.8].mean() > 0.9
    assert believed[length > 0.8].mean() < 0.65


def test_soft_labels_are_evidence_as_far_as_they_are_sure() -> None:
    assert trusted(np.array([1.0, 0.0, 0.02, 0.02**0.5])).tolist() == pytest.approx([1, 0, 0, 0.5])


def test_lengths_and_parts() -> None:
    assert lengths(np.array([5, 1, 5, 9, 2])).tolist() == [0.25, -1, 0.25, 1, -0.5]
    assert [part.tolist() for part in dealt(np.arange(7), 3)] == [[0, 3, 6], [1, 4], [2, 5]]


def work(files: Path, gold: Path, place: Path) -> tuple[Work, Any]:
    sources: dict[str, Any] = {}
    pool = dataset_step(files / "labels.csv", Reading.of("text"), Form.of(["rule"]), gold, None, sources)
    choices = learning("wordllama", "naive", careful=True)
    laboratory = Laboratory(Store(place), Machine(), {**sources, **choices[0].learner.sources}, Silent())
    made = work_on(pool, laboratory, 0)
    return made, for_labels(choices, 2, made.data.both)


def test_no_fold_is_scored_by_what_it_taught(files: Path, tmp_path: Path) -> None:
    """With the opposite truth in one fold, the student of that fold is the same to the bit, and the kept one is not."""
    before, choices = work(files, files / "gold.csv", tmp_path / "store")
    careful = before.evidence.careful
    fold = careful[folds(before.evidence.careful_groups, 0)[3]]
    turned = {before.evidence.pool.inputs[row] for row in fold}
    rows = [(text, str(1 - int(label)) if text in turned else label) for text, label in read(files / "gold.csv")]
    write(tmp_path / "gold.csv", ["text", "label"], rows)
    after, _ = work(files, tmp_path / "gold.csv", tmp_path / "store")

    def answers(of: Work, choice: Candidate, kept: bool) -> np.ndarray:
        step = of.plan.kept(choice) if kept else of.plan.of_fold(choice, 3)
        return np.load(of.laboratory.made([step])[0] / "probabilities.npy")

    assert [choice.method.name for choice in choices] == ["naive", "confidence"]
    for choice in choices:
        assert choice.rounds == CORRECTIONS > 1
        assert (answers(before, choice, kept=False) == answers(after, choice, kept=False)).all()
        assert (answers(before, choice, kept=True) != answers(after, choice, kept=True)).any()


def made(labels: Path, place: Path, **options: Any) -> Report:
    """What teach reports of wordllama taught by a file of labels; store and student are in `place`."""
    given = {"text": "text", "columns": ["rule"], "student": "wordllama", "store": place / "store"}
    return teach_files(labels, **{**given, "out": place / "student", **options})


@pytest.mark.slow
def test_correction_beats_the_labels_that_it_corrects(files: Path, tmp_path: Path) -> None:
    labels, truth = files / "labels.csv", files / "gold.csv"
    usual = made(labels, tmp_path, truth=truth, out=tmp_path / "usual")
    alone = made(labels, tmp_path, truth=truth, out=tmp_path / "alone", mix=False)
    assert (usual.corrections, usual.weight) == (CORRECTIONS, CORRECTED_WEIGHT)
    assert [one["method"] for one in usual.tried] == ["naive", "confidence"]
    assert alone.corrections == 0
    assert usual.student_accuracy is not None
    assert alone.student_accuracy is not None
    assert usual.student_accuracy.estimate > alone.student_accuracy.estimate + 0.03
    assert "corrected by the careful ones" in (tmp_path / "usual" / "README.md").read_text()


@pytest.mark.slow
def test_without_overlap_the_weight_is_chosen(files: Path, tmp_path: Path) -> None:
    """Nothing says where cheap labels are wrong if no text has both."""
    gold = {text for text, _ in read(files / "gold.csv")}
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [row for row in read(files / "labels.csv") if row[0] not in gold]
        csv.writer(file).writerows([("text", "rule"), *rows])
    report = made(tmp_path / "labels.csv", tmp_path, truth=files / "gold.csv")
    assert report.corrections == 0
    assert [one["weight"] for one in report.tried] == [0, 1, 5, 20]


@pytest.mark.parametrize(
    ("options", "method"), [({}, "confident_learning + confidence"), ({"method": "naive"}, "naive")]
)
def test_cheap_labels_alone_are_learned_less_the_doubted_ones(
    files: Path, tmp_path: Path, options: dict[str, str], method: str
) -> None:
    assert made(files / "labels.csv", tmp_path, **options).method == method
