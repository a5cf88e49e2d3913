"""Display names: every output has them, no key does, and a name that is of nothing or of two things is a sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from commands import good, outgrow
from small_experiment import TEXTS, asked

from outgrow import Experiment, Results, UsageError, run
from outgrow.execution.machine import Machine
from outgrow.execution.step import walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare

NAMES = {
    "static:wordllama rows=4": "Few-shot WordLlama",
    "static:wordllama": "WordLlama",
    "naive": "Naive finetuning",
    "confidence": "Conf. loss",
    "reviews": "Sentences on films",
}


def test_names_are_no_part_of_any_key(tmp_path: Path) -> None:
    asked(tmp_path)
    (tmp_path / "meals.csv").write_text(f"sentence,label,hard\n{''.join(f'{t},pos,1{chr(10)}' for t in TEXTS[:20])}")
    file = {"file": str(tmp_path / "reviews.csv"), "text": "sentence", "label": "label"}
    tasks = [{**file, "order": {"by": "static:wordllama"}, "train_on": {"easiest": 0.5}}]
    more: dict[str, Any] = {"tasks": tasks, "weak": [[{"static": "wordllama", "rows": 4}, "static:wordllama"]]}
    more["methods"] = ["naive", "confidence", {"bootstrap": {"through": ["static:wordllama"]}}]
    split = {"weak_train": 10, "transfer": 20, "test": 40}
    plain = prepare(asked(tmp_path, split=split, **more), Store(tmp_path / "store"), Machine())
    named = prepare(asked(tmp_path, split=split, names=NAMES, **more), Store(tmp_path / "store"), Machine())
    assert {step.key for step in walk(plain.wanted)} == {step.key for step in walk(named.wanted)}
    first = named.runs[-1]
    assert (first.task, first.weak.name) == ("Sentences on films", "Few-shot WordLlama + WordLlama")
    assert first.method.name == "bootstrap through=[WordLlama]"


@pytest.mark.slow
def test_every_output_has_the_names(tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = run(asked(tmp_path, names=NAMES, sensitivity={"l2": [0.01]}), store=tmp_path / "store", out=out)
    row = made.cells_frame().iloc[0]
    assert [row[name] for name in ("task", "weak", "strong", "method")] == [
        "Sentences on films",
        "Few-shot WordLlama",
        "WordLlama",
        "Naive finetuning",
    ]
    assert set(made.predictions_frame()["weak"]) == {"Few-shot WordLlama"}
    assert Results.read(out) == made
    assert made.cells[0]["sensitivity"][0]["strong"] == {"WordLlama": {"l2": 0.01}}
    # "confidence" is a word of sentences too.
    for command in (
        ["show", out, "--sentences"],
        ["show", out, "--latex"],
        ["show", out, "--csv"],
        ["show", out, "--markdown", "--pivot", "method"],
        ["compare", out],
        ["compare", out, "--by", "method", "--against", "naive", "--sentence"],
    ):
        text = good(outgrow(*command, cwd=tmp_path)).out
        assert "Naive" in text
        assert not [entry for entry in ("static:", "reviews", "naive ") if re.search(rf"\b{entry}", text)], text
    assert "against method Naive finetuning" in " ".join(good(outgrow("compare", out, cwd=tmp_path)).out.split())
    good(outgrow("report", out, "--figures", tmp_path / "figures", "--only", "accuracy", cwd=tmp_path))
    drawn = "".join(path.read_text() for path in (tmp_path / "figures").glob("*.svg"))
    assert "Naive finetuning" in drawn
    assert "static:" not in drawn
    page = (out / "report.html").read_text()
    assert "Few-shot WordLlama" in page
    again = Experiment.read(out / "experiment.yaml")
    assert again.names == NAMES


def test_a_name_holds_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "crowd.csv").write_text("sentence,label\nthe film 0 was good,pos\n")
    (tmp_path / "experiment.yaml").write_text(
        "tasks: [{file: reviews.csv, text: sentence, label: label}]\nweak: [{given: crowd.csv}]\n"
        "strong: [static:wordllama]\nsplit: {transfer: 20, test: 20}\nnames: {given:crowd.csv: The crowd}\n"
    )
    asked(tmp_path)
    made = Experiment.read(tmp_path / "experiment.yaml")
    elsewhere = tmp_path / "elsewhere" / "experiment.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(made.to_yaml())
    assert [spec.name for spec in Experiment.read(elsewhere).weak] == ["The crowd"] == [one.name for one in made.weak]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"static:wordlama": "W"}, 'names: nothing here is called "static:wordlama"; did you mean "static:wordllama"'),
        ({"naive": "Loss", "confidence": "Loss"}, 'names: naive and confidence would both be called "Loss"'),
        ({"naive": "confidence"}, 'names: naive and confidence would both be called "confidence"'),
        ({"reviews": "test"}, 'names: "test" is what the task\'s own test rows are called'),
        ({"naive": " "}, '"naive" is given no name'),
        ({"naive": "a\x1b[2J"}, '"naive" is given no name, or one with control characters'),
        ({"naive": ["x"]}, "names"),
        (["naive"], "names"),
    ],
)
def test_what_is_no_name_is_a_sentence(tmp_path: Path, names: Any, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(tmp_path, names=names)
    assert sentence in str(caught.value), caught.value
