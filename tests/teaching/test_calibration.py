"""The temperature of a student's probabilities: fitted, measured on what it was not fitted on, and kept in its files."""

from pathlib import Path

import numpy as np
import pytest
import tiny_models
from saved_students import TEXTS, taught
from scipy.special import softmax

from outgrow.methods.losses import Naive
from outgrow.teaching.calibration import calibration, ece, temperature, tempered
from outgrow.teaching.options import learner, student_spec
from outgrow.teaching.students import FinetunedStudent, no_progress


def world(n: int, too_sure: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of logits that are too large by a factor, and labels drawn by the right ones."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, 3)) * 1.5
    truth = softmax(logits, axis=1)
    labels = (truth.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)
    return softmax(logits * too_sure, axis=1).astype(np.float32), np.minimum(labels, 2)


def dealt(n: int) -> list[np.ndarray]:
    return [np.arange(place, n, 10) for place in range(10)]


def test_calibration_error_by_hand() -> None:
    sure = np.array([0.9, 0.92, 0.6, 0.65])  # bins (13/15, 14/15] and (8/15, 9/15], (9/15, 10/15]
    probabilities = np.stack([sure, 1 - sure], axis=1)
    right = np.array([0, 1, 0, 1])
    assert ece(probabilities, right) == pytest.approx((abs(1.82 - 1) + abs(0.6 - 1) + abs(0.65 - 0)) / 4)
    assert ece(np.array([[1.0, 0.0]]), np.array([0])) == 0


@pytest.mark.parametrize("too_sure", [3.0, 0.5])
def test_the_temperature_of_many_rows_is_what_was_multiplied(too_sure: float) -> None:
    probabilities, labels = world(20_000, too_sure, 0)
    assert temperature(probabilities, labels) == pytest.approx(too_sure, rel=0.05)
    found = calibration(probabilities, probabilities, labels, dealt(len(labels)))
    assert found.applied
    assert found.after < 0.015 < found.before
    right = tempered(probabilities, too_sure)
    np.testing.assert_array_equal(right.argmax(axis=1), probabilities.argmax(axis=1))


def test_a_calibrated_student_is_left_as_it_is_nearly_always() -> None:
    """The interval of the fall is above 0 in at most 2.5% of the worlds where there is nothing to gain."""
    applied = 0
    for seed in range(100):
        probabilities, labels = world(200, 1.0, seed)
        applied += calibration(probabilities, probabilities, labels, dealt(200)).applied
    assert applied <= 4


def test_a_few_texts_without_a_mistake_do_not_make_a_student_certain() -> None:
    probabilities = np.tile([[0.8, 0.2]], (20, 1)).astype(np.float32)
    found = tempered(probabilities, temperature(probabilities, np.zeros(20, dtype=np.int64)))
    assert found[0, 0] == pytest.approx(1 - 1 / 42, abs=1e-3)  # 20 right ones and one that is half a row of each class


def test_a_class_that_a_row_cannot_have_stays_impossible() -> None:
    probabilities = np.array([[0.7, 0.3, 0.0], [0.2, 0.3, 0.5]])
    assert tempered(probabilities, 2.0)[0, 2] == 0
    assert np.isfinite(temperature(probabilities, np.array([0, 2])))


def test_a_head_has_it_in_its_weights() -> None:
    student, plain = taught("static:wordllama")
    said = student.tempered(2.5).reader("cpu")(TEXTS, no_progress)
    np.testing.assert_allclose(said, tempered(plain, 2.5), atol=1e-5)


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
@pytest.mark.parametrize("family", ["bert", "gpt2", "roberta"])
def test_a_finetuned_model_has_it_in_its_last_layer(tmp_path: Path, family: str) -> None:
    from outgrow.models.finetune.saved import train_texts
    from outgrow.models.finetune.train import Lesson

    written = {"finetune": str(tiny_models.make(family, tmp_path / "body")), "lr": 1e-2, "epochs": 1}
    found = learner(student_spec(written))
    targets = np.eye(3, dtype=np.float32)[np.arange(len(TEXTS)) % 3]
    (tmp_path / "kept").mkdir()
    lesson = Lesson(np.arange(len(TEXTS)), targets, Naive(), 0)
    train_texts(found.location, found.spec.options, TEXTS, ("a", "b", "c"), lesson, tmp_path / "kept")
    student = FinetunedStudent(tmp_path / "kept", found.spec.member.identity)
    plain = student.reader("cpu")(TEXTS, no_progress)
    cold = student.tempered(0.25)
    assert cold is not None
    (tmp_path / "cold").mkdir()
    cold.write(tmp_path / "cold", ("a", "b", "c"))
    said = FinetunedStudent(tmp_path / "cold", student.member).reader("cpu")(TEXTS, no_progress)
    np.testing.assert_allclose(said, tempered(plain, 0.25), atol=1e-5)
    packed = cold.packed().tempered(4.0)
    assert packed is not None
    np.testing.assert_allclose(packed.reader("cpu")(TEXTS, no_progress), plain, atol=1e-5)
