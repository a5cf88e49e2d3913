"""Further test sets: every model of a cell is scored there too, nothing is trained again, and no training row is tested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import outgrow
from small_experiment import TEXTS, asked
from tiny_models import make

from outgrow import Experiment, Results, UsageError, run
from outgrow.execution.machine import Machine
from outgrow.execution.step import walk
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare
from outgrow.results.predictions import OWN
from outgrow.results.run_folder import read_run


def table(path: Path, texts: list[str], names: tuple[str, str] = ("pos", "neg")) -> Path:
    rows = "".join(f"{text},{names[0] if text.casefold().endswith('good') else names[1]}\n" for text in texts)
    path.write_text(f"sentence,label\n{rows}")
    return path


def further(folder: Path, *sets: Any, **changes: Any) -> Experiment:
    asked(folder)
    task = {"file": str(folder / "reviews.csv"), "text": "sentence", "label": "label", "also_test": list(sets)}
    return asked(folder, tasks=[task], **changes)


def entry(path: Path, **more: Any) -> dict[str, Any]:
    return {"file": str(path), "text": "sentence", "label": "label", **more}


MEALS = [f"a {word} soup {n} was {end}" for n in range(30) for word in ("red", "hot") for end in ("good", "bad")]


def test_nothing_is_trained_again_when_a_test_set_is_added(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    before = {step.key for step in walk(prepare(asked(tmp_path), store, Machine()).wanted)}
    meals = table(tmp_path / "meals.csv", MEALS)
    plan = prepare(further(tmp_path, entry(meals)), store, Machine())
    steps = list(walk(plan.wanted))
    assert before < {step.key for step in steps}
    new = [step for step in steps if step.key not in before]
    trained = len({step for one in plan.runs for step in (one.supervisor, one.student, one.ceiling)})
    assert sorted(step.kind for step in new) == ["features", "further_rows", *["head_answers"] * trained, "pool"]


SAME = pytest.mark.parametrize(
    ("weak", "strong"),
    [
        ({"static": "wordllama", "rows": 4, "l2": [0.01, 0.1]}, "static:wordllama"),
        ("majority", "static:wordllama"),
        ({"simulate": {"accuracy": 0.8, "errors": "hard", "by": "static:wordllama"}}, "static:wordllama"),
        (["majority", {"static": "wordllama", "rows": 4}, {"static": "wordllama", "rows": 8}], "majority"),
        ({"finetune": "MODEL", "epochs": 1, "rows": 8}, {"finetune": "MODEL", "epochs": 1, "lora": {"r": 2}}),
        ({"finetune": "MODEL", "epochs": 1, "bitfit": True}, {"finetune": "MODEL", "epochs": 1, "pooling": "mean"}),
        ({"prompt": "CAUSAL"}, {"finetune": "CAUSAL", "epochs": 1}),
        ({"prompt": "CAUSAL", "shots": 2}, {"finetune": "CAUSAL", "epochs": 1, "precision": "bf16", "lora": {"r": 2}}),
    ],
)


@SAME
def test_the_tasks_own_test_rows_under_another_name_get_the_same_answers(
    tmp_path: Path, weak: Any, strong: Any
) -> None:
    places = {"MODEL": "bert", "CAUSAL": "gpt2"}
    spelled = json.dumps([weak, strong])
    for name, family in places.items():
        if name in spelled:
            spelled = spelled.replace(name, str(make(family, tmp_path / family)))
    weak, strong = json.loads(spelled)
    asked(tmp_path)
    copy = entry(tmp_path / "reviews.csv", name="again")
    made = run(
        further(tmp_path, copy, weak=[weak], strong=[strong], methods=["naive"], seeds=1),
        store=tmp_path / "store",
        out=tmp_path / "out",
    )
    own, again = made.cells
    assert (own["test_set"], again["test_set"]) == (OWN, "again")
    reading = read_run(tmp_path / "out")
    said = reading.scored.tables.probabilities
    pairs = [(values, said[key._replace(test_set="again")]) for key, values in said.items() if key.test_set == OWN]
    assert len(pairs) == 3
    for one, other in pairs:
        assert np.abs(one - other).max() < (2e-3 if "bf16" in spelled else 1e-5)


def test_a_further_set_has_its_own_rows_intervals_and_pgr_in_every_table(tmp_path: Path) -> None:
    meals = table(tmp_path / "meals.csv", MEALS)
    made = run(further(tmp_path, entry(meals)), store=tmp_path / "store", out=tmp_path / "out")
    assert [cell["test_set"] for cell in made.cells] == [OWN, "meals"] * 2
    assert {cell["n_test"] for cell in made.cells} == {40}
    reading = read_run(tmp_path / "out")
    truth = reading.scored.test("reviews", "meals")
    assert all("soup" in str(text) for text in truth.inputs)
    assert all(
        ("good" in str(text)) == (truth.classes[label] == "pos")
        for text, label in zip(truth.inputs, truth.truth, strict=True)
    )
    counted = [row for row in made.runs if row["test_set"] == "meals"]
    for row, one in zip(counted, (one for one in reading.asked if one.test_set == "meals"), strict=True):
        hard = reading.scored.hard(one.models["student"])
        assert hard is not None
        assert row["student_accuracy"] == pytest.approx(float((hard == truth.truth).mean()))
    again = Results.read(tmp_path / "out")
    assert list(again.cells_frame()["test_set"]) == [OWN, "meals"] * 2
    assert set(again.predictions_frame()["test_set"]) == {OWN, "meals"}
    assert list(again.compare()["test_set"]) == [OWN, "meals"]
    for command in (["show"], ["compare"]):
        shown = outgrow(*command, str(tmp_path / "out"), cwd=tmp_path).out
        assert "test set" in shown
        assert "meals" in shown
        assert "test_set" in outgrow(*command, str(tmp_path / "out"), "--csv", cwd=tmp_path).out.splitlines()[0]
    assert "meals" in (tmp_path / "out" / "report.html").read_text()


def test_one_test_set_is_not_named_in_tables_for_people(tmp_path: Path) -> None:
    run(asked(tmp_path, seeds=1), store=tmp_path / "store", out=tmp_path / "out")
    assert "test set" not in outgrow("show", str(tmp_path / "out"), cwd=tmp_path).out


def test_training_rows_are_left_out_by_their_normal_form_and_counted(tmp_path: Path) -> None:
    asked(tmp_path)
    mixed = table(tmp_path / "mixed.csv", [*MEALS, *(text.upper().replace(" ", "  ") for text in TEXTS[:60])])
    plain = table(tmp_path / "plain.csv", MEALS)
    experiment = further(tmp_path, entry(plain, test=str(mixed)), seeds=1, methods=["naive"])
    made = run(experiment, store=tmp_path / "store", out=tmp_path / "out")
    reading = read_run(tmp_path / "out")
    own = set(reading.scored.tables.tests["reviews"].inputs)
    copies = {text.upper().replace(" ", "  ") for text in TEXTS[:60] if text not in own}
    tested = {str(text) for text in reading.scored.test("reviews", "plain").inputs}
    assert 0 < len(copies) < 60
    assert not copies & tested
    (note,) = (note for note in made.notes if "in the task's training rows too" in note)
    assert note.startswith("reviews: also_test: plain: ")
    assert str(40 - len(tested)) in note


def test_a_set_is_named_by_the_title_of_another_task(tmp_path: Path) -> None:
    asked(tmp_path)
    meals = table(tmp_path / "meals.csv", MEALS)
    first = entry(tmp_path / "reviews.csv", also_test="meals")
    experiment = asked(
        tmp_path, tasks=[first, entry(meals)], split={"weak_train": 20, "transfer": 40, "validation": 10, "test": 30}
    )
    assert [one.title for one in experiment.tasks[0].also_test] == ["meals"]
    (tmp_path / "again.yaml").write_text(experiment.to_yaml())
    assert Experiment.read(tmp_path / "again.yaml").to_yaml() == experiment.to_yaml()
    plan = prepare(experiment, Store(tmp_path / "store"), Machine())
    pools = {step.key for step in walk(plan.wanted) if step.kind == "pool"}
    assert len(pools) == 2


def test_what_cannot_test_a_task_is_said_while_planning(tmp_path: Path) -> None:
    asked(tmp_path)
    other = table(tmp_path / "other.csv", MEALS, ("yes", "no"))
    with pytest.raises(
        UsageError, match="reviews: also_test: other: its classes are no, yes, and the task's are neg, pos"
    ):
        prepare(further(tmp_path, entry(other)), Store(tmp_path / "store"), Machine())
    own = table(tmp_path / "test.csv", MEALS)
    with pytest.raises(UsageError, match='"test" is what the task\'s own test rows are called'):
        further(tmp_path, entry(own))
    with pytest.raises(UsageError, match="other is listed twice"):
        further(tmp_path, entry(other), entry(other))
    with pytest.raises(UsageError, match="`also_test` has no meaning under other, a set that is only tested on"):
        further(tmp_path, entry(other, also_test=[entry(other, name="more")]))
    with pytest.raises(UsageError, match='unknown task "harmles"'):
        further(tmp_path, "harmles")
