"""Students of pictures: taught by folders and tables, kept as transformers' image classifier, asked about any folder."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import class_folder, noise, saved
from tiny_backbones import backbone
from transformers import pipeline
from typer.testing import CliRunner

from outgrow import UsageError
from outgrow.cli.app import app
from outgrow.core.inputs.image import Image
from outgrow.execution.machine import Machine
from outgrow.teaching.saved.predict_files import predict_file
from outgrow.teaching.saved.saved_student import load
from outgrow.teaching.students import no_progress
from outgrow.teaching.teach_files import teach_files

MACHINE = Machine(threads=1, device="cpu")
# What somebody without outgrow does.
ALONE = """
import json, sys
from pathlib import Path
from transformers import pipeline
found = []
for folder in sys.argv[2:]:
    classify = pipeline("image-classification", folder)
    answers = [classify(str(path), top_k=100) for path in sorted(Path(sys.argv[1]).glob("*.png"))]
    found.append([[one["score"] for one in sorted(answer, key=lambda one: one["label"])] for answer in answers])
json.dump(found, sys.stdout)
assert "outgrow" not in sys.modules
"""


def pictures(folder: Path) -> Path:
    """Six pictures of three sizes."""
    folder.mkdir(exist_ok=True)
    for seed in range(6):
        (folder / f"{seed}.png").write_bytes(saved(noise(500 + seed, (32, 40, 56)[seed % 3], 10.0 * (-1) ** seed)))
    return folder


def table(folder: Path, rows: int = 30) -> Path:
    """Pictures in one folder, with a rule's labels (every sixth wrong) and, of some, careful ones beside it."""
    (folder / "all").mkdir()
    with (folder / "labels.csv").open("w") as cheap, (folder / "gold.csv").open("w") as careful:
        ours, theirs = csv.writer(cheap), csv.writer(careful)
        ours.writerow(["file", "rule"])
        theirs.writerow(["file", "label"])
        for row in range(2 * rows):
            warm = row % 2 == 1
            (folder / "all" / f"{row}.png").write_bytes(saved(noise(row, 16, 12.0 if warm else -12.0)))
            ours.writerow([f"all/{row}.png", ["cold", "warm"][warm ^ (row % 6 == 0)]])
            if row >= rows:
                theirs.writerow([f"all/{row}.png", ["cold", "warm"][warm]])
    return folder / "labels.csv"


@pytest.mark.slow
def test_transformers_alone_gives_the_probabilities_of_a_kept_student(tmp_path: Path) -> None:
    families = ["vit", "dinov2", "clip", "resnet", "convnext"]
    class_folder(tmp_path / "pictures", rows=20, shift=12)
    asked = pictures(tmp_path / "asked")
    images = [Image.of(path.read_bytes()) for path in sorted(asked.glob("*.png"))]
    ours = []
    for family in families:
        checkpoint = backbone(family, tmp_path / family)
        report = teach_files(
            tmp_path / "pictures",
            out=tmp_path / f"student-{family}",
            student=str(checkpoint),
            store=tmp_path / "store",
            machine=MACHINE,
        )
        assert report.taught == 40
        kept = load(tmp_path / f"student-{family}")
        assert kept.classes == ("cold", "warm")
        shutil.rmtree(checkpoint)  # nothing of it is needed any more
        ours.append(kept.student.reader("cpu")(images, no_progress))
    command = [sys.executable, "-c", ALONE, str(asked), *(str(tmp_path / f"student-{one}") for one in families)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    theirs = np.array(json.loads(ran.stdout))
    assert np.abs(np.stack(ours) - theirs).max() < 1e-4
    assert (np.ptp(theirs, axis=1) > 0.02).all()  # they are no constants
    card = (tmp_path / "student-vit" / "README.md").read_text()
    assert "pipeline_tag: image-classification" in card
    assert 'pipeline("image-classification", folder)' in card


def test_a_table_with_careful_labels_and_answers_for_a_table_and_a_folder(tmp_path: Path) -> None:
    labels, student = table(tmp_path), tmp_path / "student"
    common = ["--store", str(tmp_path / "store"), "--threads", "1", "--device", "cpu"]
    checkpoint = str(backbone("resnet", tmp_path / "resnet"))
    asked = [str(labels), "--image", "file", "--label", "rule", "--student", checkpoint, "--out", str(student)]
    made = CliRunner().invoke(app, ["teach", *asked, "--truth", str(tmp_path / "gold.csv"), *common])
    assert made.exit_code == 0, made.output
    about = json.loads((student / "student.json").read_text())
    assert about["numbers"]["careful"] == 30
    assert "30 of 30 images of gold.csv are in labels.csv too" in " ".join(made.output.split())
    assert "60 distinct images" not in (student / "README.md").read_text()
    assert "Cheap labels of 30 distinct images" in (student / "README.md").read_text()
    assert about["numbers"]["cheap_accuracy"]["estimate"] == pytest.approx(25 / 30)
    assert about["text"] == {"type": {"name": "image"}, "keys": {"image": "file"}}
    # The same pictures by the table and by their folder.
    for source, out in ((labels, "table.csv"), (tmp_path / "all", "folder.jsonl")):
        asked = [str(student), str(source), "-o", str(tmp_path / out), "--threads", "1", "--device", "cpu"]
        made = CliRunner().invoke(app, ["predict", *asked])
        assert made.exit_code == 0, made.output
    with (tmp_path / "table.csv").open() as file:
        by_table = {Path(row["file"]).name: row for row in csv.DictReader(file)}
    by_folder = [json.loads(line) for line in (tmp_path / "folder.jsonl").read_text().splitlines()]
    assert len(by_folder) == len(by_table) == 60
    for row in by_folder:
        other = by_table[row["file"]]
        assert row["label"] == other["label"]
        assert row["p_warm"] == pytest.approx(float(other["p_warm"]), abs=1e-6)
        assert list(row) == ["file", "label", "p_cold", "p_warm", "margin"]


def test_a_finetuned_student_is_an_image_classifier_too(tmp_path: Path) -> None:
    labels = table(tmp_path, rows=16)
    written = {"finetune": str(backbone("vit", tmp_path / "vit")), "epochs": 3}
    common = {"inputs": {"image": "file"}, "columns": ["rule"], "store": tmp_path / "store", "machine": MACHINE}
    report = teach_files(labels, out=tmp_path / "student", student=written, **common)
    assert report.taught == 32
    shutil.rmtree(tmp_path / "vit")
    asked = pictures(tmp_path / "asked")
    assert predict_file(load(tmp_path / "student"), str(asked), str(tmp_path / "out.jsonl"), threads=1) == 6
    ours = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    classify = pipeline("image-classification", str(tmp_path / "student"))
    for row in ours:
        theirs = {one["label"]: one["score"] for one in classify(str(asked / row["file"]))}
        assert theirs["warm"] == pytest.approx(row["p_warm"], abs=1e-4)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"student": "minilm"}, "probe:minilm: a 'bert' model reads no pictures: name a checkpoint of the ViT"),
        ({}, "--student: name one that reads inputs of type image, such as the folder or hub name of a pretrained"),
        ({"student": "static:wordllama"}, "--student: static:wordllama does not read inputs of type image"),
        ({"student": "pixels:8"}, "such a model cannot be a saved student"),
        ({"student": {"probe": "tiny", "layer": 1}}, "a student of pictures is kept as transformers' image"),
    ],
)
def test_a_student_that_does_not_fit_is_one_sentence(tmp_path: Path, asked: dict[str, Any], sentence: str) -> None:
    class_folder(tmp_path / "pictures", rows=4)
    if isinstance(asked.get("student"), dict):
        backbone("vit", tmp_path / "tiny")
        asked = {"student": {**asked["student"], "probe": str(tmp_path / "tiny")}}
    with pytest.raises(UsageError, match=re.escape(sentence)):
        teach_files(tmp_path / "pictures", out=tmp_path / "out", store=tmp_path / "store", machine=MACHINE, **asked)
    assert not (tmp_path / "out").exists()


def test_pictures_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    labels = table(tmp_path, rows=12)
    student = {"student": str(backbone("resnet", tmp_path / "resnet")), "store": tmp_path / "store"}
    how = {"inputs": {"image": "file"}, "columns": ["rule"], "machine": MACHINE, **student}
    teach_files(labels, out=tmp_path / "student", **how)
    for name, data in (("3.png", b"no picture"), ("4.png", None)):
        if data is None:
            (tmp_path / "all" / name).unlink()
        else:
            (tmp_path / "all" / name).write_bytes(data)
    with pytest.raises(UsageError, match=r"line 5: all/3.png is a text file, not a picture"):
        teach_files(labels, out=tmp_path / "other", **how)
    kept = load(tmp_path / "student")
    with pytest.raises(UsageError, match=r"all/3.png: is a text file, not a picture"):
        predict_file(kept, str(tmp_path / "all"), str(tmp_path / "out.csv"))
    assert not (tmp_path / "out.csv").exists()
    for one in (tmp_path / "all").iterdir():
        one.unlink()
    with pytest.raises(UsageError, match=r"all: holds no picture"):
        predict_file(kept, str(tmp_path / "all"), str(tmp_path / "out.csv"))


@pytest.mark.slow
def test_a_student_of_a_plug_in_is_kept_and_opened_with_it(tmp_path: Path) -> None:
    plugin = Path(__file__).parents[2] / "examples" / "plugins" / "efficientnet_lite.py"
    class_folder(tmp_path / "pictures", rows=12, shift=12)
    written = {f"{plugin}:EfficientnetLite": {"checkpoint": "lite0", "side": 64}}
    teach_files(
        tmp_path / "pictures", out=tmp_path / "student", student=written, store=tmp_path / "store", machine=MACHINE
    )
    folder = pictures(tmp_path / "asked")
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "outgrow", "predict", str(tmp_path / "student"), str(folder), "-o", str(out)]
    ran = subprocess.run([*command, "--plugin", str(plugin)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    ours = [json.loads(line) for line in out.read_text().splitlines()]
    # What the model card says, without outgrow.
    card = (tmp_path / "student" / "README.md").read_text().split("```python\n")[1].split("```")[0]
    code = f"import sys, PIL.Image\nfor path in sys.argv[1:]:\n    image = PIL.Image.open(path)\n{_indented(card)}"
    code += "    print(probabilities[0, 1].item())\n"
    files = [str((folder / row["image"]).absolute()) for row in ours]
    said = subprocess.run(
        [sys.executable, "-c", code, *files], capture_output=True, text=True, check=False, cwd=tmp_path / "student"
    )
    assert said.returncode == 0, said.stderr
    assert np.allclose([float(line) for line in said.stdout.split()], [row["p_warm"] for row in ours], atol=1e-4)
    without = subprocess.run(command, capture_output=True, text=True, check=False)
    assert without.returncode != 0
    assert "Traceback" not in without.stderr


def _indented(code: str) -> str:
    return "".join(f"    {line}\n" for line in code.splitlines())
