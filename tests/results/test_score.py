"""`outgrow score`: the numbers of a run folder from plain files, and a sentence for everything that is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import folder, guesses, held_out
from score_files import ACCURACIES, N, files, rows, table
from typer.testing import CliRunner

from outgrow import Results, UsageError
from outgrow.cli.app import app
from outgrow.report.words.sentences import verdicts
from outgrow.results.external.score import cells_json, score_accuracies, score_predictions
from outgrow.results.predictions import Predictions


def fault(call: Callable[[], Any]) -> list[str]:
    with pytest.raises(UsageError) as caught:
        call()
    return list(caught.value.problems)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_labels_in_any_format(tmp_path: Path, ending: str) -> None:
    (cell,) = score_predictions(**files(tmp_path, ending)).cells
    assert {role: cell[f"{role}_accuracy"]["estimate"] for role in ACCURACIES} == pytest.approx(ACCURACIES)
    assert cell["pgr"]["estimate"] == pytest.approx(0.5)
    assert cell["covers"] == "few seeds and examples"
    assert (cell["task"], cell["weak"], cell["strong"], cell["seeds"]) == ("truth", "weak", "student", [0, 1, 2])


def test_probabilities_give_what_the_run_folder_gives(tmp_path: Path) -> None:
    """The same predictions through a run folder and through plain files: the same cells, to the last digit."""
    place = folder(tmp_path / "run", {"a": {"weak": 0.6, "naive": 0.75, "ceiling": 0.9}}, classes=3)
    tables = Predictions.read(place)
    test = tables.tests["a"]
    paths = {}
    for role in ("weak", "student", "ceiling"):
        made = [
            {"seed": s.seed, "id": id_, **{f"p_{c}": float(p) for c, p in zip(test.classes, row, strict=True)}}
            for s, values in tables.probabilities.items()
            if s.role == role
            for id_, row in zip(test.ids.tolist(), values.tolist(), strict=True)
        ]
        paths[role] = table(tmp_path / f"{role}.parquet", made[::-1])  # any order
    truth = [
        {"id": id_, "label": test.classes[c]} for id_, c in zip(test.ids.tolist(), test.truth.tolist(), strict=True)
    ]
    paths["truth"] = table(tmp_path / "truth.parquet", truth)
    (cell,) = score_predictions(**paths, metric="brier").cells
    expected = Results.read(place).cells[0]
    for key in ("weak_accuracy", "student_accuracy", "ceiling_accuracy", "pgr", "n_test", "seeds"):
        assert cell[key] == expected[key]
    assert cell["pgr_brier"]["status"] == "ok"
    assert cell["agreement"]["agreement"] == expected["agreement"]["agreement"]


def test_records_of_the_reference_code_bring_their_own_truth(tmp_path: Path) -> None:
    truth = held_out("a", N).truth
    paths = {}
    for role in ACCURACIES:
        values = guesses(held_out("a", N), ACCURACIES[role], [list(ACCURACIES).index(role), 0])
        made = [
            {"txt": f"text {row}", "gt_label": int(truth[row]), "hard_label": int(p.argmax()), "soft_label": p.tolist()}
            for row, p in enumerate(values)
        ]
        paths[role] = table(tmp_path / f"{role}.jsonl", made)
    results = score_predictions(paths["weak"], paths["student"], paths["ceiling"], None, metric="brier")
    (cell,) = results.cells
    assert cell["pgr"]["estimate"] == pytest.approx(0.5)
    assert cell["weak_brier"]["estimate"] is not None
    assert cell["covers"] == "examples"
    assert "one seed" in results.notes[0]


def test_groups_of_the_truth_are_used(tmp_path: Path) -> None:
    paths = files(tmp_path)
    alone = score_predictions(**paths).cells[0]["student_accuracy"]
    truth = [{"id": str(r), "label": int(c), "group": f"g{r // 10}"} for r, c in enumerate(held_out("a", N).truth)]
    table(paths["truth"], truth)
    assert score_predictions(**paths).cells[0]["student_accuracy"]["low"] != alone["low"]


def test_labels_that_are_the_same_for_all_seeds_need_no_seed_column(tmp_path: Path) -> None:
    given = [{key: row[key] for key in ("id", "label")} for row in rows("weak", [0])]
    (cell,) = score_predictions(**files(tmp_path, weak=given)).cells
    assert cell["seeds"] == [0, 1, 2]
    assert cell["weak_accuracy"]["estimate"] == pytest.approx(0.6)


def test_several_methods_are_several_cells(tmp_path: Path) -> None:
    made = [{**row, "method": method} for method in ("naive", "mine") for row in rows("student")]
    cells = score_predictions(**files(tmp_path, student=made)).cells
    assert [cell["method"] for cell in cells] == ["naive", "mine"]


def test_without_a_ceiling_pgr_has_its_reason(tmp_path: Path) -> None:
    paths = files(tmp_path)
    (cell,) = score_predictions(paths["weak"], paths["student"], None, paths["truth"]).cells
    assert cell["pgr"]["status"] == "undefined: no ceiling was given"
    assert cell["student_accuracy"]["status"] == "ok"
    assert "no ceiling was given" in verdicts([cell])[0]


# Bad predictions


def test_ids_that_match_nothing(tmp_path: Path) -> None:
    other = [{**row, "id": f"x{row['id']}"} for row in rows("student")]
    (said,) = fault(lambda: score_predictions(**files(tmp_path, student=other)))
    assert "student.csv: none of its 60 ids for seed 0 is in" in said
    assert "here the first is 'x0', there '0'" in said


def test_ids_that_match_in_part(tmp_path: Path) -> None:
    paths = files(tmp_path, student=[row for row in rows("student") if row["id"] not in ("7", "8")])
    (said,) = fault(lambda: score_predictions(**paths))
    assert "2 of the 60 ids of" in said
    assert "the first is '7'" in said
    assert "--common" in said
    results = score_predictions(**paths, common=True)
    assert results.cells[0]["n_test"] == 58
    assert "58 of 60 rows are in all files" in results.notes[0]
    more = files(tmp_path, weak=[*rows("weak"), {"seed": 0, "id": "extra", "label": 1}])
    assert "1 ids are not in" in fault(lambda: score_predictions(**more))[0]


def test_files_that_disagree_on_the_truth(tmp_path: Path) -> None:
    truth = held_out("a", N).truth
    made = [{**row, "gt_label": int(truth[int(row["id"])]) if row["id"] != "5" else 0} for row in rows("weak")]
    (said,) = fault(lambda: score_predictions(**files(tmp_path, weak=made)))
    assert "disagree on the truth of 1 ids, the first is '5': '1' and '0'" in said


@pytest.mark.parametrize(
    ("p", "sentence"),
    [(1.2, "has probabilities outside [0, 1]"), (0.7, "do not sum to one but to 1.2"), ("high", "other than numbers")],
)
def test_probabilities_that_are_none(tmp_path: Path, p: Any, sentence: str) -> None:
    made = [{"seed": r["seed"], "id": r["id"], "p_0": 0.5, "p_1": 0.5} for r in rows("student")]
    made[3]["p_0"] = p
    (said,) = fault(lambda: score_predictions(**files(tmp_path, student=made)))
    assert "student.csv, line 5" in said
    assert sentence in said


def test_other_faults_of_predictions_have_a_sentence_each(tmp_path: Path) -> None:
    def said(**changed: Any) -> str:
        return "\n".join(fault(lambda: score_predictions(**files(tmp_path, **changed))))

    assert "is listed twice for seed 1" in said(weak=[*rows("weak"), rows("weak")[N]])
    assert "has no seed 2, which" in said(student=rows("student", [0, 1]))
    assert "a seed is a whole number" in said(weak=[{**row, "seed": "first"} for row in rows("weak")])
    assert "has no column 'id'" in said(weak=[{"key": "1", "label": 1}])
    assert "has no id; every row needs one" in said(weak=[{**rows("weak")[0], "id": ""}])
    assert "holds no prediction" in said(weak=[{**row, "label": "" if row["id"] == "3" else 1} for row in rows("weak")])
    assert "has no true label" in said(truth=[{"id": "0", "label": ""}, {"id": "1", "label": "1"}])
    assert "has two true labels" in said(truth=[{"id": "0", "label": "0"}, {"id": "0", "label": "1"}])
    several = [{key: row[key] for key in ("id", "label")} for row in rows("weak")]
    assert "several seeds need a column `seed`" in said(weak=several)
    paths = files(tmp_path)
    assert "no file holds the truth" in fault(lambda: score_predictions(paths["weak"], paths["student"], None, None))[0]
    assert (
        "there is no such file" in fault(lambda: score_predictions(tmp_path / "x.csv", paths["student"], None, None))[0]
    )


# Accuracies


def accuracies(**changes: Any) -> list[dict[str, Any]]:
    made = [
        {"seed": seed, "weak": 0.6 + seed / 100, "student": 0.7, "ceiling": 0.9 - seed / 100, "n_test": 500}
        for seed in range(4)
    ]
    return [{**row, **changes} for row in made]


def test_accuracies_alone(tmp_path: Path) -> None:
    results = score_accuracies(table(tmp_path / "runs.csv", accuracies()))
    (cell,) = results.cells
    assert cell["student_accuracy"]["estimate"] == pytest.approx(0.7)
    assert cell["pgr"]["estimate"] == pytest.approx((0.7 - 0.615) / (0.885 - 0.615))
    assert (cell["covers"], cell["n_test"], cell["task"]) == ("seeds", 500, "runs")
    assert "nothing of the test set's own noise" in results.notes[0]
    assert json.loads(cells_json(results))["schema"] == 1
    assert results.runs[0]["pgr"] == pytest.approx(1 / 3)


def test_tasks_and_methods_are_cells(tmp_path: Path) -> None:
    made = [{**row, "task": t, "method": m} for t in "ab" for m in ("naive", "mine") for row in accuracies()]
    cells = score_accuracies(table(tmp_path / "runs.csv", made)).cells
    assert [(cell["task"], cell["method"]) for cell in cells] == [
        ("a", "naive"), ("a", "mine"), ("b", "naive"), ("b", "mine"),
    ]  # fmt: skip


def test_percentages_are_noticed_and_asked_about(tmp_path: Path) -> None:
    path = table(
        tmp_path / "runs.csv", [{k: v * 100 if k in ACCURACIES else v for k, v in r.items()} for r in accuracies()]
    )
    (said,) = fault(lambda: score_accuracies(path))
    assert "holds accuracies above 1, such as 60: are these percentages? Then give --percent" in said
    assert score_accuracies(path, percent=True).cells[0]["student_accuracy"]["estimate"] == pytest.approx(0.7)
    (said,) = fault(lambda: score_accuracies(table(path, accuracies()), percent=True))
    assert "leave --percent away" in said


def test_one_seed_is_told(tmp_path: Path) -> None:
    results = score_accuracies(table(tmp_path / "runs.csv", accuracies()[:1]))
    assert any(note.startswith("one seed:") for note in results.notes)
    assert results.cells[0]["pgr"]["estimate"] is None
    assert results.cells[0]["student_accuracy"]["low"] is None


def test_a_seed_with_a_missing_cell(tmp_path: Path) -> None:
    blank = [{**row, "ceiling": "" if row["seed"] == 2 else row["ceiling"]} for row in accuracies()]
    (said,) = fault(lambda: score_accuracies(table(tmp_path / "runs.csv", blank)))
    assert "line 4: seed 2 of task runs, method given has no accuracy of ceiling" in said
    uneven = [
        {**row, "method": m} for m in ("naive", "mine") for row in accuracies() if (m, row["seed"]) != ("mine", 3)
    ]
    path = table(tmp_path / "runs.csv", uneven)
    (said,) = fault(lambda: score_accuracies(path))
    assert "method mine has no seed 3 of task runs, which another method has" in said
    results = score_accuracies(path, common=True)
    assert [cell["seeds"] for cell in results.cells] == [[0, 1, 2]] * 2
    assert any("3 of 4 seeds" in note for note in results.notes)


def test_other_faults_of_accuracies_have_a_sentence_each(tmp_path: Path) -> None:
    def said(content: list[dict[str, Any]]) -> str:
        return "\n".join(fault(lambda: score_accuracies(table(tmp_path / "runs.csv", content))))

    assert "has no column 'ceiling'" in said([{"seed": 1, "weak": 0.5, "student": 0.6, "ceilings": 0.7}])
    assert "is listed twice" in said([*accuracies(), accuracies()[0]])
    assert "is not a number: 70%; take the % off, and give --percent" in said(accuracies(student="70%"))
    assert "is not a number: good" in said(accuracies(student="good"))
    assert "is -0.2, which is not an accuracy" in said(accuracies(student=-0.2))
    assert "is nan" in said(accuracies(student="NaN.")) or "is not a number" in said(accuracies(student="NaN."))
    assert "a seed is a whole number, not first" in said(accuracies(seed="first"))
    assert "n_test is a number of rows, not many" in said(accuracies(n_test="many"))


# The command


def command(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["score", *map(str, arguments)])


def test_the_command(tmp_path: Path) -> None:
    paths = files(tmp_path)
    options = [part for role, path in paths.items() for part in (f"--{role}", path)]
    content = json.loads(command(*options, "--json").stdout)
    assert content["schema"] == 1
    assert content["cells"][0]["pgr"]["estimate"] == pytest.approx(0.5)
    shown = " ".join(command(*options).stdout.split())  # whatever its lines
    assert "recovers 50%" in shown
    assert ".600 [" in shown
    assert "Brier" in command(*options, "--metric", "brier").stdout
    assert "over seeds alone" in command("--accuracies", table(tmp_path / "runs.csv", accuracies())).stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "give --weak, --student, --ceiling and --truth, or --accuracies"),
        (["--weak", "w.csv"], "--student is missing"),
        (["--weak", "w.csv", "--accuracies", "a.csv"], "or --accuracies, or --folder"),
        (["--accuracies", "a.csv", "--metric", "brier"], "--metric needs predictions"),
        (["--folder", "x", "--percent"], "--percent is for --accuracies"),
    ],
)
def test_options_that_do_not_go_together(options: list[str], sentence: str) -> None:
    caught = command(*options).exception
    assert isinstance(caught, UsageError)
    assert sentence in str(caught)


def test_numbers_of_any_size_stay_fast(tmp_path: Path) -> None:
    made = [
        {"seed": seed, "id": str(row), "label": int(c)}
        for seed in range(2)
        for row, c in enumerate(np.random.default_rng(seed).integers(0, 2, 5000))
    ]
    truth = [{"id": str(row), "label": row % 2} for row in range(5000)]
    paths = {role: table(tmp_path / f"{role}.parquet", made) for role in ACCURACIES}
    paths["truth"] = table(tmp_path / "truth.parquet", truth)
    assert score_predictions(**paths).cells[0]["n_test"] == 5000
