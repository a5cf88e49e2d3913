"""`outgrow compare` and `outgrow show` on run folders whose accuracies are known."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import folder, guesses, held_out
from rich.console import Console
from typer.testing import CliRunner

from outgrow import OutgrowError, UsageError
from outgrow.cli.app import app
from outgrow.core.answers import Answers
from outgrow.report.tables.cell_tables import agreement_view, csv_text, markdown, number, short, terminal, view
from outgrow.report.tables.cell_tables import rows as cell_rows
from outgrow.report.tables.comparison_tables import best_first, rows, shown
from outgrow.report.tables.comparison_tables import csv_text as compared_csv
from outgrow.report.tables.paper_texts import latex
from outgrow.report.tables.papers import pivot
from outgrow.report.tables.papers import table as latex_table
from outgrow.report.words.comparison_sentences import quotable
from outgrow.report.words.sentences import agreements
from outgrow.results.compare import compare, in_seeds_and_rows, reference
from outgrow.results.metrics.scores import metric_named
from outgrow.results.run_folder import read_run, with_metric
from outgrow.results.run_results import Results
from outgrow.results.statistics.comparison import difference

TWO_TASKS = {
    "a": {"weak": 0.6, "naive": 0.7, "confidence": 0.78, "product": 0.7, "ceiling": 0.9},
    "b": {"weak": 0.8, "naive": 0.75, "confidence": 0.8, "product": 0.76, "ceiling": 0.7},
}


def text(parts: Any) -> str:
    console = Console(width=220, record=True, file=io.StringIO())
    for part in parts:
        console.print(part, markup=False, highlight=False)
    return console.export_text()


def test_methods_against_one_of_them(tmp_path: Path) -> None:
    found = compare(read_run(folder(tmp_path, TWO_TASKS)), "method", "naive")
    assert [(row["task"], row["method"]) for row in found.rows] == [
        ("a", "confidence"), ("a", "product"), ("b", "confidence"), ("b", "product"),
    ]  # fmt: skip
    first = found.rows[0]
    assert first["difference"]["estimate"] == pytest.approx(0.08)
    assert first["pgr_difference"]["estimate"] == pytest.approx(0.08 / 0.3)
    assert first["pgr_difference"]["p"] == pytest.approx(first["difference"]["p"])
    test = held_out("a", 300)
    tables = [
        np.stack([guesses(test, share, [0, place, seed]).argmax(1) == test.truth for seed in range(3)])
        for share, place in ((0.7, 3), (0.78, 4))
    ]
    assert first["difference"]["p"] == pytest.approx(difference(*tables).p)
    corrected = [row["difference"]["p_holm"] for row in found.rows]
    assert all(c >= row["difference"]["p"] for c, row in zip(corrected, found.rows, strict=True))
    assert first["noise_floor"] == pytest.approx(0)  # exactly .9 at every seed
    # On b the ceiling is below the supervisor: no number, and a reason.
    assert found.rows[2]["pgr_difference"]["estimate"] is None
    assert found.rows[2]["pgr_difference"]["status"] == "undefined: ceiling not above weak"


def test_averages_over_tasks_name_what_is_undefined(tmp_path: Path) -> None:
    found = compare(read_run(folder(tmp_path, TWO_TASKS)), "method", "naive")
    means = [row for row in found.across if "difference" in row]
    assert [row["method"] for row in means] == ["confidence", "product"]
    assert means[0]["difference"]["estimate"] == pytest.approx((0.08 + 0.05) / 2)
    assert means[0]["difference"]["p_holm"] >= means[0]["difference"]["p"]
    over = means[0]["tasks_drawn"]
    assert over["low"] < means[0]["difference"]["low"]  # two tasks say little of others
    assert over["p_holm"] >= over["p"] > means[0]["difference"]["p"]
    assert over["new_task"] is None
    naive = next(row for row in found.across if row["method"] == "naive")
    assert naive["pgr_ratio_of_sums_tasks_drawn"]["status"] == "undefined: ceiling not above weak"
    assert naive["pgr_median"] == pytest.approx(1 / 3)
    assert naive["pgr_ratio_of_sums"]["estimate"] == pytest.approx((0.1 - 0.05) / (0.3 - 0.1))
    assert naive["undefined"] == {"b": "undefined: ceiling not above weak"}
    printed = text(shown(found))
    assert "PGR on b is undefined: ceiling not above weak" in printed
    assert "Holm's correction over 4 comparisons" in printed


def test_three_tasks_say_something_of_a_new_one(tmp_path: Path) -> None:
    tasks = {name: {"weak": 0.6, "naive": 0.7, "other": 0.7 + gain, "ceiling": 0.9 - gain} for name, gain in
             (("a", 0.06), ("b", 0.04), ("c", 0.05))}  # fmt: skip
    found = compare(read_run(folder(tmp_path, tasks)), "method", "naive")
    over = next(row for row in found.across if "difference" in row)["tasks_drawn"]
    assert over["estimate"] == pytest.approx(0.05, abs=0.005)
    low, high = over["new_task"]
    assert low <= over["low"] < over["high"] <= high
    averages = [row for row in found.across if "pgr_median" in row]
    drawn, given = (averages[0][key] for key in ("pgr_ratio_of_sums_tasks_drawn", "pgr_ratio_of_sums"))
    assert drawn["estimate"] == pytest.approx(given["estimate"])
    assert drawn["low"] < given["low"] < given["high"] < drawn["high"]
    printed = text(shown(found))
    assert "tasks as drawn" in printed
    assert "a new task" in printed
    said = [sentence for sentence in quotable(found) if sentence.startswith("Over 3 tasks")]
    assert "Over the tasks that these are a sample of, the mean is +5." in said[0]
    assert "a new task's lies within" in said[0]


def test_tasks_against_each_other_are_not_paired(tmp_path: Path) -> None:
    found = compare(read_run(folder(tmp_path, TWO_TASKS)), "task", "a")
    assert [row["method"] for row in found.rows] == ["naive", "confidence", "product"]
    assert found.rows[0]["difference"]["estimate"] == pytest.approx(0.05)
    assert found.rows[0]["needed"] is None
    paired = compare(read_run(folder(tmp_path / "x", {"a": TWO_TASKS["a"]})), "method", "naive").rows[0]["difference"]
    alone = found.rows[0]["difference"]
    assert alone["high"] - alone["low"] > paired["high"] - paired["low"]
    assert "mean over tasks" not in text(shown(found))


def test_small_differences_say_how_much_would_show_them(tmp_path: Path) -> None:
    found = compare(
        read_run(folder(tmp_path, {"a": {"weak": 0.6, "naive": 0.7, "other": 0.71, "ceiling": 0.9}})), "method", "naive"
    )
    (row,) = found.rows
    assert row["difference"]["p_holm"] > 0.05
    assert row["needed"]["rows"] > 300
    assert row["needed"]["p"] == pytest.approx(0.05)
    assert "rows" in in_seeds_and_rows(row)
    assert "would detect a true difference" in text(shown(found))


def test_more_comparisons_need_more_data(tmp_path: Path) -> None:
    shares = {"weak": 0.6, "naive": 0.7, "a": 0.72, "b": 0.71, "c": 0.9, "ceiling": 0.95}
    found = compare(read_run(folder(tmp_path, {"t": shares})), "method", "naive")
    assert [row["difference"]["p_holm"] < 0.05 for row in found.rows] == [False, False, True]
    assert [row["needed"]["p"] for row in found.rows] == pytest.approx([0.05 / 2] * 3)
    alone = compare(read_run(folder(tmp_path / "x", {"t": shares | {"b": 0.9}})), "method", "naive").rows[0]
    assert alone["needed"]["p"] == pytest.approx(0.05)
    assert alone["needed"]["rows"] < found.rows[0]["needed"]["rows"]


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    reading = read_run(folder(tmp_path, {"a": {"weak": 0.6, "naive": 0.7, "confidence": 0.8, "ceiling": 0.9}}))
    with pytest.raises(UsageError, match='no method "naiv"; did you mean "naive"'):
        compare(reading, "method", "naiv")
    with pytest.raises(UsageError, match='no such axis; did you mean "method"'):
        compare(reading, "methods", "naive")
    with pytest.raises(UsageError, match="one weak, static:w: there is nothing to compare"):
        compare(reading, "weak", "static:w")


def test_seeds_that_only_one_has_are_told(tmp_path: Path) -> None:
    reading = read_run(folder(tmp_path, {"a": {"weak": 0.6, "naive": 0.7, "confidence": 0.8, "ceiling": 0.9}}))
    fewer = [run for run in reading.asked if not (run.method.name == "confidence" and run.seed == 2)]
    found = compare(type(reading)(reading.results, fewer, reading.scored), "method", "naive")
    assert found.rows[0]["seeds"] == [0, 1]
    assert "2 of 3 and 2 seeds are in both" in found.notes[0]


def test_what_is_printed_is_json(tmp_path: Path) -> None:
    found = compare(read_run(folder(tmp_path, TWO_TASKS)), "method", "naive")
    content = json.loads(json.dumps(found.content(), allow_nan=False))
    assert content["schema"] == 1
    assert len(content["comparisons"]) == 4


# Metrics and agreement of a run folder


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", ["balanced_accuracy", "auroc", "log_loss", "brier", "ece"])
def test_any_metric_is_read_from_the_predictions(tmp_path: Path, name: str, classes: int) -> None:
    place = folder(tmp_path, {"a": TWO_TASKS["a"]}, classes=classes)
    metric = metric_named(name)
    found = with_metric(place, name)
    (cell, *_) = found.cells
    test = held_out("a", 300, classes)
    values = [
        metric.contributions(Answers(test.ids, p), test).mean()
        for p in (guesses(test, 0.6, [0, 0, seed]) for seed in range(3))
    ]
    assert cell[f"weak_{name}"]["estimate"] == pytest.approx(np.mean(values))
    assert [run[f"weak_{name}"] for run in found.runs[::3][:1]] == [pytest.approx(values[0])]
    assert cell["weak_accuracy"] == Results.read(place).cells[0]["weak_accuracy"]
    cells, shows = found.cells[:1], view(metric)
    for shape in (markdown(cell_rows(cells, shows)), latex_table(cells, shows), csv_text(cells, shows)):
        assert "undefined" not in shape or name == "ece"
    assert f"% {metric.title}" in latex_table(cells, shows)
    assert metric.title in text([terminal(found.cells, view(metric))])


def test_a_metric_that_results_hold_is_not_counted_again(tmp_path: Path) -> None:
    place = folder(tmp_path, {"a": TWO_TASKS["a"]})
    with_metric(place, "brier").write(place)
    (place / "predictions.parquet").unlink()
    assert "pgr_brier" in with_metric(place, "brier").cells[0]
    with pytest.raises(OutgrowError, match=r"predictions\.parquet is missing"):
        with_metric(place, "ece")


def test_agreement_in_a_table_and_in_words(tmp_path: Path) -> None:
    cells = Results.read(folder(tmp_path, TWO_TASKS)).cells
    assert "copied" in csv_text(cells, agreement_view(cells))
    first, *_, last = agreements(cells)
    assert "of its supervisor's mistakes too and corrects" in first
    assert "taught the truth, the same model makes" in first
    assert "Over these 6 cells, misfit" in last
    left = cells[0]["agreement"]["misfit_residual"]
    assert left["low"] < left["estimate"] < left["high"]
    assert "In squared distance it gains" in first
    assert "the misfit (" in first


def test_an_unknown_metric_has_its_sentence() -> None:
    with pytest.raises(UsageError, match='unknown metric "briar"; did you mean "brier"'):
        metric_named("briar")


def test_predictions_of_another_run_are_noticed(tmp_path: Path) -> None:
    place = folder(tmp_path, {"a": TWO_TASKS["a"]})
    content = json.loads((place / "results.json").read_text())
    content["runs"][0]["method"] = "gone"
    (place / "results.json").write_text(json.dumps(content))
    with pytest.raises(OutgrowError, match="does not have"):
        read_run(place)


def test_the_best_method_of_each_task_stands_first(tmp_path: Path) -> None:
    shares = {
        task: {**row, "entropy": row["naive"] + 0.02, "product": row["naive"] + 0.05} for task, row in TWO_TASKS.items()
    }
    found = compare(read_run(folder(tmp_path, shares)), "method", "naive")
    rows = best_first(found)
    assert [row["task"] for row in rows] == ["a"] * 3 + ["b"] * 3
    for task in ("a", "b"):
        differences = [row["difference"]["estimate"] for row in rows if row["task"] == task]
        assert differences == sorted(differences, reverse=True)
    assert [row["method"] for row in rows[:3]] == ["confidence", "product", "entropy"]


def test_a_comparison_as_tables_for_papers(tmp_path: Path) -> None:
    run = folder(tmp_path, TWO_TASKS)
    found = compare(read_run(run), "method", "naive")
    header, *lines = csv.reader(io.StringIO(compared_csv(found)))
    assert len(lines) == len(found.rows) == 4
    for line, row in zip(lines, best_first(found), strict=True):
        cell = dict(zip(header, line, strict=True))
        assert (cell["task"], cell["method"]) == (row["task"], row["method"])
        assert float(cell["difference_estimate"]) == row["difference"]["estimate"]
        assert cell["pgr_difference_low"] == ("" if row["task"] == "b" else repr(row["pgr_difference"]["low"]))
    table = rows(found)
    assert table[0][:2] == ["method", "task"]
    assert [len(row) for row in table] == [len(table[0])] * 5
    invoked = {
        form: CliRunner().invoke(app, ["compare", str(run), f"--{form}"]).output
        for form in ("markdown", "latex", "csv")
    }
    assert invoked["csv"] == compared_csv(found)
    assert invoked["markdown"].splitlines()[0] == f"| {' | '.join(table[0])} |"
    header, *lines = (line for line in invoked["latex"].splitlines() if line.endswith(r" \\"))
    names = [line.split(" & ")[0] for line in lines]
    assert [name for name in names if name] == [row["method"] for row in best_first(found)]
    assert len(lines) == 2 * 4  # each with its interval in small print beneath it
    assert header.startswith("method & task & ")


def test_a_sentence_says_difference_test_and_n(tmp_path: Path) -> None:
    reading = read_run(folder(tmp_path, TWO_TASKS))
    found = compare(reading, "method", reference(reading, "method"))
    assert found.against == "naive"
    row = found.rows[0]
    points, p = 100 * row["difference"]["estimate"], row["difference"]["p_holm"]
    sentence = quotable(found)[0]
    assert f"On {row['task']}, " in sentence
    assert f"{abs(points):.1f} points" in sentence
    assert f"paired over {len(row['seeds'])} seeds and {row['n_test']} test examples" in sentence
    assert "with Holm's correction over 4 comparisons" in sentence
    assert ("accurate than with naive" in sentence) == (p < 0.05)


def test_a_reference_is_picked_on_every_axis(tmp_path: Path) -> None:
    reading = read_run(folder(tmp_path, TWO_TASKS))
    assert reference(reading, "task") == "a"
    with pytest.raises(UsageError, match="no such axis"):
        reference(reading, "seed")


def test_tasks_become_columns(tmp_path: Path) -> None:
    cells = Results.read(folder(tmp_path, TWO_TASKS)).cells
    header, _, *lines = pivot(cells, "task", latex=False).splitlines()
    assert header.split("|")[1:-1] == [" method ", " a ", " b "]
    assert len(lines) == len({cell["method"] for cell in cells})
    shown = pivot(cells, "task")
    for cell in cells:
        if cell["task"] == "a" and cell["pgr"]["low"] is not None and cell["pgr"]["low"] > 0:
            assert rf"\textbf{{{short(cell['pgr']['estimate'])}}}" in shown
    with pytest.raises(UsageError, match='there is no such axis; did you mean "task"'):
        pivot(cells, "tasks")
    # Another number than PGR, which is undefined in one of the tasks; accuracies are all above 0, and none is bold.
    for of, key in (("gain", "gain"), ("Student", "student_accuracy")):
        body = pivot(cells, "task", latex=False, of=of).splitlines()[2:]
        found = {line.split("|")[1].strip(): [part.strip() for part in line.split("|")[2:4]] for line in body}
        for cell in cells:
            estimate, _, ends = number(cell[key]).partition(" ")
            shown_in_bold = key == "gain" and (cell[key]["low"] > 0 or cell[key]["high"] < 0)
            wanted = f"**{estimate}** {ends}" if shown_in_bold else f"{estimate} {ends}"
            assert found[cell["method"]]["ab".index(cell["task"])] == wanted
    assert any(cell["gain"]["low"] > 0 for cell in cells)
    assert "% student\n" in pivot(cells, "task", of="student")
    assert latex(Results.read(tmp_path), pivot="task", of="gain") == pivot(cells, "task", of="gain")
    with pytest.raises(UsageError, match='--of gian: there is no such number; did you mean "gain"'):
        pivot(cells, "task", of="gian")
    ran = CliRunner().invoke(app, ["show", str(tmp_path), "--markdown", "--pivot", "task", "--of", "gain"])
    assert ran.output == pivot(cells, "task", latex=False, of="gain")
    assert "--of is for --pivot" in str(CliRunner().invoke(app, ["show", str(tmp_path), "--of", "gain"]).exception)


def test_a_run_read_back_keeps_every_fact(tmp_path: Path) -> None:
    place = folder(tmp_path, {"a": TWO_TASKS["a"]})
    content = json.loads((place / "results.json").read_text())
    more = {"no_ceiling": "undefined: the student learns nothing", "stopped_at": 0.5, "labels_changed": 3}
    for run in content["runs"]:
        run.update(more)
    (place / "results.json").write_text(json.dumps(content))
    reading = read_run(place)
    written = {"n_transfer": 400, "n_left_out": 0, "weak_label_accuracy": 0.6}
    assert [one.facts for one in reading.asked] == [{**written, **more}] * len(reading.asked)
    both = CliRunner().invoke(app, ["compare", str(run), "--csv", "--json"])
    assert isinstance(both.exception, UsageError)
