"""Finetuned models of pictures: tiny random ones of several families, crops and flips by seed and step."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from finetuning import options, soft, weights
from pictures import class_folder, noise
from tiny_backbones import backbone
from transformers import pipeline

from outgrow import UsageError, run
from outgrow.core.inputs.image import Image
from outgrow.execution.machine import Machine
from outgrow.methods.losses import Confidence, Entropy, Naive, Product, ReverseKl, Window
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.finetune.reading import read_inputs
from outgrow.models.finetune.resume import Halfway
from outgrow.models.finetune.saved import keep, reader
from outgrow.models.finetune.train import Finetuned, HeadFirst, Lesson, probabilities, train
from outgrow.models.vision.pictures import Pictures, augmented

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGES = [Image.of(noise(seed, (32, 40, 48)[seed % 3], 30.0 * (-1) ** seed)) for seed in range(20)]
ROWS = np.arange(len(IMAGES))
CLASSES = ("bad", "fine", "good")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("backbones")
    return lambda family: root / family if (root / family).exists() else backbone(family, root / family)


def learn(folder: Path, method: Any = None, *, seed: int = 0, classes: int = 3, **more: Any) -> Finetuned:
    changes = {name: more.pop(name) for name in tuple(more) if name in ("tokens", "lora", "bitfit", "lr", "epochs")}
    location = resolve(str(folder), "finetune")
    tokens = read_inputs(location, IMAGES, max_length=None, chat_template=False)
    lesson = Lesson(ROWS, soft(classes, len(IMAGES)), method or Naive(), seed)
    return train(location, options(**changes), tokens, CLASSES[:classes], lesson, **more)


def largest_difference(one: Finetuned, other: Finetuned) -> float:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    return max(float(np.abs(value - second[name]).max()) for name, value in first.items())


@pytest.mark.parametrize("family", ["vit", "resnet", "clip"])
def test_parts_of_a_batch_are_cropped_and_learned_as_the_whole(made: Callable[[str], Path], family: str) -> None:
    whole = learn(made(family), Confidence())
    assert largest_difference(whole, learn(made(family), Confidence(), tokens=12)) < 1e-4  # three pictures a part
    assert largest_difference(whole, learn(made(family), Confidence())) == 0
    assert largest_difference(whole, learn(made(family), Confidence(), seed=1)) > 1e-3
    before = backbone(family, made(family).with_name(f"{family}-again"))
    statistics = {name: value for name, value in whole.loaded.module.named_buffers() if "running" in name}
    again = learn(before, epochs=1).loaded.module
    for name, value in again.named_buffers():
        assert "running" not in name or torch.equal(value, statistics[name])  # of the checkpoint, and not of batches


@pytest.mark.parametrize("method", [Entropy(), Product(), ReverseKl(), Window()])
def test_every_objective_learns(made: Callable[[str], Path], method: Any) -> None:
    found = learn(made("vit"), method, epochs=1)
    location = resolve(str(made("vit")), "finetune")
    read = read_inputs(location, IMAGES, max_length=None, chat_template=False)
    answers = probabilities(found, read, ROWS, options())
    assert answers.shape == (20, 3)
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("how", [{}, {"head_first": HeadFirst(1, 0.01)}, {"lora": {"r": 2, "dropout": 0.2}}])
def test_a_training_that_was_cut_short_ends_with_the_same_bits(
    made: Callable[[str], Path], tmp_path: Path, how: dict[str, Any]
) -> None:
    class Killed(Exception):
        pass

    halfway = Halfway(tmp_path / "halfway" / "key", 0.0, tmp_path / "beside")
    seen = []

    def progress(done: int, total: int) -> None:
        seen.append(done)
        if len(seen) > (3 if "head_first" in how else 0) and done == 4:
            raise Killed

    undisturbed = learn(made("vit"), **how)
    with pytest.raises(Killed):
        learn(made("vit"), halfway=halfway, progress=progress, **how)
    assert largest_difference(undisturbed, learn(made("vit"), halfway=halfway, **how)) == 0


def test_lora_and_bitfit_train_what_they_say(made: Callable[[str], Path]) -> None:
    for family in ("vit", "clip"):
        adapters = learn(made(family), lora={"r": 2}, epochs=1).loaded.module
        learned = {name for name, value in adapters.named_parameters() if value.requires_grad}
        assert all("lora_" in name or name.startswith("model.classifier") for name in learned)
        assert any("lora_" in name for name in learned)
        biases = learn(made(family), bitfit=True, epochs=1).loaded.module
        learned = {name for name, value in biases.named_parameters() if value.requires_grad}
        assert all(name.endswith("bias") or name.startswith("model.classifier") for name in learned)


def test_crops_are_a_matter_of_seed_step_and_row_alone(made: Callable[[str], Path]) -> None:
    read = Pictures.open(resolve(str(made("vit")), "finetune"), IMAGES)
    assert read.lengths.tolist() == [4] * 20

    def seen(pictures: Pictures, rows: Sequence[int]) -> torch.Tensor:
        return torch.as_tensor(pictures.logits(lambda pixels: pixels, np.array(rows), 0, "cpu"))

    step = read.at_step(7, 3)
    assert torch.equal(seen(step, [4, 5, 6])[1], seen(step, [5])[0])
    assert not torch.equal(seen(step, [5]), seen(read.at_step(7, 4), [5]))
    assert not torch.equal(seen(step, [5]), seen(read.at_step(8, 3), [5]))
    values = torch.arange(2 * 3 * 16 * 16, dtype=torch.float32).reshape(2, 3, 16, 16)
    found = augmented(values, [(0, row) for row in range(2)])
    for one, other in zip(found, values, strict=True):  # the middle of the picture is there, moved or mirrored
        middle = other[:, 4:12, 4:12]
        spots = [one[:, top : top + 8, left : left + 8] for top in range(9) for left in range(9)]
        assert any(torch.equal(spot, middle) or torch.equal(spot.flip(-1), middle) for spot in spots)


@pytest.mark.parametrize("family", ["vit", "resnet"])
def test_a_kept_student_is_loaded_by_transformers_pipeline(
    made: Callable[[str], Path], tmp_path: Path, family: str
) -> None:
    found = learn(made(family), lora={"r": 2} if family == "vit" else None)
    (tmp_path / "kept").mkdir()
    keep(found, options(), 4, tmp_path / "kept")
    ours = reader(tmp_path / "kept", "cpu")(IMAGES, lambda done, total: None)
    classify = pipeline("image-classification", str(tmp_path / "kept"))
    for image, row in zip(IMAGES, ours, strict=True):
        theirs = {one["label"]: one["score"] for one in classify(image.rgb(), top_k=3)}
        assert [theirs[name] for name in CLASSES] == pytest.approx(row.tolist(), abs=1e-4)


def experiment(folder: Path, **changes: Any) -> Path:
    for name, first in (("pictures", 0), ("other", 5000)):
        if not (folder / name).is_dir():
            class_folder(folder / name, rows=40, shift=25, side=32, first=first)
    student = {"finetune": str(folder / "vit"), "epochs": 6, "lr": 0.01, "batch": 8}
    whole = {
        "tasks": [{"images": "pictures", "also_test": [{"images": "other"}]}],
        "weak": [{"pixels": "2", "rows": 6}],
        "strong": [student],
        "methods": ["naive", "confidence"],
        "seeds": 1,
        "split": {"weak_train": 10, "transfer": 30, "test": 30},
    }
    (folder / "images.yaml").write_text(yaml.safe_dump({**whole, **changes}, sort_keys=False))
    return folder / "images.yaml"


def test_an_experiment_with_another_test_set(tmp_path: Path) -> None:
    backbone("vit", tmp_path / "vit")
    found = run(experiment(tmp_path), store=tmp_path / "s", out=tmp_path / "out", machine=Machine(threads=1))
    assert len(found.cells) == 4
    assert all(cell["ceiling_accuracy"]["estimate"] > 0.7 for cell in found.cells)
    with pytest.raises(UsageError, match=r"its inputs are of type image, and generative reads texts first"):
        run(experiment(tmp_path, methods=["generative"]), store=tmp_path / "s", out=tmp_path / "other-out")
    student = {"finetune": str(tmp_path / "vit"), "max_length": 7}
    with pytest.raises(UsageError, match=r"`max_length` and `chat_template` are for texts"):
        run(experiment(tmp_path, strong=[student]), store=tmp_path / "s", out=tmp_path / "other-out")
