"""Pictures through plan, run, results and report: pixels teach pixels, and a network from scratch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from browser import Opened, chromium
from pictures import class_folder, noise, saved

from outgrow import Experiment, UsageError, run
from outgrow.core.inputs.image import Image
from outgrow.core.registry import find
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.models.check import check_model
from outgrow.models.vision.convnet import Convnet, augmented
from outgrow.models.vision.pixels import Pixels
from outgrow.results.predictions import Predictions


def written(folder: Path, **changes: Any) -> Path:
    """An experiment on made-up pictures: the student sees four times the pixels of its supervisor."""
    if not (folder / "pictures").is_dir():
        class_folder(folder / "pictures", rows=150, shift=4)
    whole = {
        "tasks": [{"images": "pictures"}],
        "weak": [{"pixels": "4", "rows": 12}],
        "strong": ["pixels:8"],
        "seeds": 2,
        "split": {"weak_train": 60, "transfer": 100, "validation": 20, "test": 120},
    }
    (folder / "images.yaml").write_text(yaml.safe_dump({**whole, **changes}))
    return folder / "images.yaml"


def keys(path: Path, folder: Path) -> set[str]:
    """The keys of all students that an experiment plans."""
    return {run.student.key for run in prepare(Experiment.read(path), Store(folder / "store"), Machine()).runs}


def test_a_folder_of_pictures_runs_and_pictures_are_on_the_page(tmp_path: Path) -> None:
    path = written(tmp_path, controls=True)
    results = run(path, store=tmp_path / "store", out=tmp_path / "run", machine=Machine(threads=1))
    cell = results.cells[0]
    assert cell["weak_accuracy"]["estimate"] < cell["student_accuracy"]["estimate"] <= 1
    assert cell["ceiling_accuracy"]["estimate"] > 0.8
    found = {one["control"]: one for one in results.controls}
    assert found["shuffled labels"]["status"] == "ok", found
    assert found["weak = strong"]["status"] == "ok", found
    test = next(iter(Predictions.read(tmp_path / "run").tests.values()))
    assert test.input_type == "image"
    assert test.inputs[0]["image"].startswith("data:image/jpeg;base64,")
    text = (tmp_path / "run" / "report.html").read_text()
    assert 40 <= text.count("data:image/jpeg;base64,") <= 120
    with chromium() as browser:
        opened = Opened(browser, tmp_path / "run" / "report.html", viewport={"width": 390, "height": 800})
        opened.page.wait_for_function("document.querySelector('.example-picture').naturalWidth === 16")
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
        opened.close()
    # Without them, everything else is as it was.
    bare = run(written(tmp_path, controls=True, images=False), store=tmp_path / "store", out=tmp_path / "run")
    assert bare.cells == results.cells
    assert "data:image/jpeg;base64," not in (tmp_path / "run" / "report.html").read_text()
    assert "image" not in next(iter(Predictions.read(tmp_path / "run").tests.values())).inputs[0]
    # What was resolved reads back to the same steps, from another folder too.
    assert keys(tmp_path / "run" / "experiment.yaml", tmp_path) == keys(path, tmp_path)


def test_one_changed_picture_changes_the_keys(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = keys(path, tmp_path)
    assert keys(path, tmp_path) == before
    (tmp_path / "pictures" / "warm" / "0001.png").write_bytes(saved(noise(4000)))
    assert not keys(path, tmp_path) & before


def test_a_network_from_scratch_learns_what_pixels_alone_do_not(tmp_path: Path) -> None:
    """Stripes that lie or stand at a random place: no single pixel tells them apart."""

    def stripes(seed: int) -> np.ndarray:
        wave = 128 + 90 * np.sin((np.arange(8) + seed % 7) * np.pi / 2)
        flat = np.tile(wave[:, None, None], (1, 8, 3))
        values = (flat if seed % 2 else flat.transpose(1, 0, 2)) + np.random.default_rng(seed).normal(0, 40, (8, 8, 3))
        return values.clip(0, 255).astype(np.uint8)

    for seed in range(160):
        folder = tmp_path / "pictures" / ("lying" if seed % 2 else "standing")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{seed}.png").write_bytes(saved(stripes(seed)))
    small = {"side": 8, "width": 8, "epochs": 6, "batch": 10}
    path = written(
        tmp_path,
        weak=["pixels:8"],
        strong=[{"convnet": small}],
        seeds=1,
        split={"weak_train": 30, "transfer": 80, "test": 50},
    )
    cell = run(path, store=tmp_path / "store", out=tmp_path / "run", machine=Machine(threads=1)).cells[0]
    assert cell["ceiling_accuracy"]["estimate"] > 0.9
    assert cell["weak_accuracy"]["estimate"] < 0.8


def test_both_keep_the_contract_of_a_model() -> None:
    for name in ("pixels", "convnet"):
        lines = check_model(find("models", name).load(), name)
        assert [line for line in lines if not line.startswith("ok")] == []


def test_crops_and_flips_keep_the_picture_and_follow_the_seed() -> None:
    pictures = np.stack([noise(seed) for seed in range(30)])
    found = [augmented(pictures, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert (found[0] == found[1]).all()
    assert not (found[0] == found[2]).all()
    middle = pictures[:, 4:12, 4:12]
    inside = sum(
        any(
            (one[top : top + 8, left : left + 8] == part).all()
            or (one[top : top + 8, left : left + 8][:, ::-1] == part).all()
            for top in range(9)
            for left in range(9)
        )
        for one, part in zip(found[0], middle, strict=True)
    )
    assert inside == len(pictures)
    flipped = sum(not (np.sort(a, axis=1) == np.sort(b, axis=1)).all() for a, b in zip(found[0], pictures, strict=True))
    assert flipped > 0


def test_pixels_are_standardised_and_do_not_depend_on_company() -> None:
    images = [Image.of(noise(seed, 24)) for seed in range(6)]
    location = Pixels.locate("8")
    made = Pixels(checkpoint="8")
    values = made.features(images, location, "cpu", lambda done, total: None).values
    assert values.shape == (6, 192)
    assert abs(values.mean()) < 0.5
    alone = made.features(images[2:3], location, "cpu", lambda done, total: None).values
    assert (alone == values[2:3]).all()
    grey = Image.of(np.full((4, 4, 3), 255 * 0.45, np.uint8))
    assert np.abs(made.features([grey], location, "cpu", lambda done, total: None).values).max() < 0.02


@pytest.mark.parametrize("side", ["0", "65", "eight", "-3", "1e1"])
def test_a_side_that_is_none_is_one_sentence(tmp_path: Path, side: str) -> None:
    with pytest.raises(UsageError) as error:
        prepare(Experiment.read(written(tmp_path, strong=[f"pixels:{side}"])), Store(tmp_path / "s"), Machine())
    assert error.value.problems == (f"pixels:{side}: write the side in pixels, 1 to 64, as in pixels:16",)


def test_models_of_texts_do_not_read_pictures(tmp_path: Path) -> None:
    path = written(tmp_path, weak=["static:wordllama"], seeds=1)
    with pytest.raises(UsageError) as error:
        prepare(Experiment.read(path), Store(tmp_path / "s"), Machine())
    assert error.value.problems == ("pictures: its inputs are of type image, and static:wordllama reads text",)


def test_the_seed_decides_a_network(tmp_path: Path) -> None:
    folder = class_folder(tmp_path, rows=8)
    images = [Image.of(file.read_bytes()) for file in sorted(folder.glob("*/*"))]
    from outgrow.core.examples import Examples, Labels
    from outgrow.models.check import CrossEntropy

    ids = np.array([image.digest for image in images])
    truth = Labels.one_hot(ids, np.arange(16) // 8, 2)
    small = Convnet(side=8, width=8, epochs=1)
    found = [small.fit(Examples(ids, images), truth, CrossEntropy(), seed) for seed in (1, 1, 2)]
    first, again, other = (one.predict(Examples(ids, images)) for one in found)
    assert (first == again).all()
    assert not (first == other).all()
    assert np.allclose(found[0].predict(Examples(ids[3:4], images[3:4])), first[3:4], atol=1e-5)


def test_given_labels_another_test_set_and_an_order(tmp_path: Path) -> None:
    """What an experiment may ask of texts it may ask of pictures: labels in a file by path, `also_test`, `order`."""
    class_folder(tmp_path / "other", rows=60, shift=6, first=9000)
    written(tmp_path)
    files = [file.relative_to(tmp_path / "pictures") for file in sorted((tmp_path / "pictures").rglob("*.png"))]
    with (tmp_path / "alexnet.csv").open("w") as given, (tmp_path / "rated.csv").open("w") as rated:
        given.write("image,p_cold,p_warm\n")
        rated.write("image,label,rating\n")
        for row, file in enumerate(files):
            warm = (file.parent.name == "warm") != (row % 4 == 0)
            given.write(f"{file.as_posix()},{0.2 if warm else 0.8},{0.8 if warm else 0.2}\n")
            rated.write(f"pictures/{file.as_posix()},{file.parent.name},{row * 7 % 10}\n")

    def found(**changes: Any) -> dict[str, dict[str, Any]]:
        out = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        result = run(written(tmp_path, **changes), store=tmp_path / "store", out=out, machine=Machine(threads=1))
        return {cell["test_set"]: cell for cell in result.cells}

    small = {"weak_train": 60, "transfer": 60, "test": 40}
    cells = found(
        tasks=[{"images": "pictures", "also_test": [{"images": "other"}]}],
        weak=[{"given": "alexnet.csv", "on": "image"}],
        split={"transfer": 100, "test": 120},
    )
    right = cells["test"]["weak_accuracy"]["estimate"]
    assert 0.65 < right < 0.85  # three quarters of the given labels are right
    assert cells["test"]["student_accuracy"]["estimate"] > 0.6
    assert cells["other"]["weak_accuracy"]["estimate"] is None  # the file has no labels of these
    assert cells["other"]["student_accuracy"]["estimate"] > 0.7
    for task in (
        {"images": "pictures", "order": {"by": "pixels:4"}},
        {"file": "rated.csv", "image": "image", "label": "label", "order": "rating", "train_on": {"easiest": 0.7}},
    ):
        assert set(found(tasks=[task], split=small)) == {"test", "hard"}
