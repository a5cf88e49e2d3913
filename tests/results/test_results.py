"""Run folder -> results, words and tables: hand-made predictions with a known answer."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from outgrow import OutgrowError, Results
from outgrow.core.identity import content_id
from outgrow.report.tables.cell_tables import csv_text, markdown, number, rows, short, terminal
from outgrow.report.tables.papers import escaped, table
from outgrow.report.words.sentences import verdicts
from outgrow.results.cells import Entry, RunToScore
from outgrow.results.external.score import score_accuracies
from outgrow.results.predictions import HeldOut, ModelKey, Predictions

N = 200
IDS = np.array([content_id(str(row)) for row in range(N)])


def held_out(classes: int = 2) -> HeldOut:
    truth = np.arange(N) % classes
    return HeldOut(IDS, tuple(f"text {row}" for row in range(N)), truth, IDS, tuple(str(c) for c in range(classes)))


def guesses(right: int, seed: int, classes: int = 2) -> Any:
    """Probabilities with exactly `right` of N rows right, which ones by seed."""
    test = held_out(classes)
    hit = np.zeros(N, dtype=bool)
    hit[np.random.default_rng(seed).permutation(N)[:right]] = True
    said = np.where(hit, test.truth, (test.truth + 1) % classes)
    return (0.8 * np.eye(classes)[said] + 0.2 / classes).astype(np.float32)


def results(weak: list[int] | None, student: list[int], ceiling: list[int] | None, classes: int = 2) -> Results:
    said: dict[ModelKey, Any] = {}
    asked = []
    for seed, right in enumerate(student):
        models: dict[str, ModelKey | None] = {
            "weak": ModelKey("t", "weak", "w", None, None, seed),
            "student": ModelKey("t", "student", "w", "s", "naive", seed),
            "ceiling": None if ceiling is None else ModelKey("t", "ceiling", None, "s", None, seed),
        }
        said[ModelKey("t", "weak", "w", None, None, seed)] = (
            np.full((N, classes), np.nan, np.float32) if weak is None else guesses(weak[seed], 10 + seed, classes)
        )
        said[ModelKey("t", "student", "w", "s", "naive", seed)] = guesses(right, 20 + seed, classes)
        if ceiling is not None:
            said[ModelKey("t", "ceiling", None, "s", None, seed)] = guesses(ceiling[seed], 30 + seed, classes)
        w, s, m = Entry("w", {"static": "w"}), Entry("s", "probe:s"), Entry("naive", "naive")
        asked.append(RunToScore("t", w, s, m, seed, models, {"n_transfer": 7}))
    return Results.compute(asked, Predictions({"t": held_out(classes)}, said), {"python": "3"}, ["a note"])


@pytest.mark.parametrize("classes", [2, 5])
def test_hand_worked_cell(classes: int) -> None:
    made = results([100, 110], [140, 150], [180, 190], classes)
    assert [run["weak_accuracy"] for run in made.runs] == [0.5, 0.55]
    assert [run["student_accuracy"] for run in made.runs] == [0.7, 0.75]
    assert [run["pgr"] for run in made.runs] == [pytest.approx(0.2 / 0.4), pytest.approx(0.2 / 0.4)]
    (cell,) = made.cells
    assert cell["weak_accuracy"]["estimate"] == pytest.approx(0.525)
    assert cell["ceiling_accuracy"]["estimate"] == pytest.approx(0.925)
    assert cell["pgr"]["status"] == "ok"
    assert cell["pgr"]["estimate"] == pytest.approx((0.725 - 0.525) / (0.925 - 0.525))
    assert cell["pgr"]["low"] < 0.5 < cell["pgr"]["high"]
    assert cell["seeds"] == [0, 1]
    assert (cell["weak"], cell["strong"], cell["method"]) == ({"static": "w"}, "probe:s", "naive")
    assert made.runs[0]["n_test"] == N
    assert made.runs[0]["n_transfer"] == 7


def test_pgr_is_the_ratio_of_means_not_the_mean_of_ratios() -> None:
    made = results([100, 100], [120, 130], [178, 182])
    ratios = [run["pgr"] for run in made.runs]
    assert ratios == [pytest.approx(20 / 78), pytest.approx(30 / 82)]
    assert made.cells[0]["pgr"]["estimate"] == pytest.approx(25 / 80)
    assert made.cells[0]["pgr"]["estimate"] != pytest.approx(np.mean(ratios), abs=1e-4)


def test_agreement_is_of_hard_predictions_on_test() -> None:
    made = results([150], [150], [180])
    weak, student = guesses(150, 10).argmax(1), guesses(150, 20).argmax(1)
    assert made.runs[0]["agreement"] == pytest.approx((weak == student).mean())


@pytest.mark.parametrize(
    ("weak", "ceiling", "status"),
    [
        ([150, 150], [150, 149], "undefined: ceiling not above weak"),
        ([150, 150], [120, 120], "undefined: ceiling not above weak"),
        ([100, 100], None, "undefined: no truth on transfer"),
        (None, [180, 180], "undefined: weak labels do not cover test"),
    ],
)
def test_undefined_has_its_reason_and_no_number(weak: list[int] | None, ceiling: list[int] | None, status: str) -> None:
    (cell,) = results(weak, [140, 140], ceiling).cells
    assert cell["pgr"] == {"estimate": None, "low": None, "high": None, "status": status}
    assert cell["student_accuracy"]["estimate"] == pytest.approx(0.7)
    assert "undefined" in verdicts([cell])[0]
    assert all(run["pgr"] is None for run in results(weak, [140, 140], ceiling).runs)
    assert "NaN" not in results(weak, [140, 140], ceiling).to_json()


def test_words_in_the_cases_that_matter() -> None:
    (clear,) = verdicts(results([100, 100, 100], [150, 152, 149], [190, 190, 191]).cells)
    assert "the student outgrows its supervisor beyond chance" in clear
    assert "recovers 56% of the gap (95% interval" in clear
    assert "a gain of +25.2 points (+" in clear
    (nothing,) = verdicts(results([140, 140, 140], [141, 139, 140], [190, 190, 190]).cells)
    assert "points): no effect has been shown" not in nothing
    assert nothing.count("no effect has been shown") == 1
    (below,) = verdicts(results([150, 150, 150], [90, 91, 89], [190, 190, 190]).cells)
    assert "the student falls below its supervisor beyond chance" in below
    (undefined,) = verdicts(results([100, 100], [150, 150], [100, 100]).cells)
    assert "reaches 0.750: its supervisor reaches 0.500, a gain of +25.0 points (" in undefined
    assert (
        "PGR is undefined: no gap to recover has been shown, since the same model taught the truth reaches 0.500"
        in undefined
    )
    (one,) = verdicts(results([100], [150], [190]).cells)
    assert "One seed tells nothing of other seeds" in one
    assert "One seed" not in clear


def test_results_read_back(tmp_path: Path) -> None:
    made = results([100, 110], [140, 150], [180, 190])
    made.write(tmp_path)
    again = Results.read(tmp_path)
    assert again.to_json() == made.to_json() == (tmp_path / "results.json").read_text()
    assert json.loads(made.to_json())["schema"] == 1

    import pyarrow.parquet as pq

    rows = pq.read_table(tmp_path / "results.parquet").to_pylist()
    assert [row["student_accuracy"] for row in rows] == [0.7, 0.75]
    assert rows[0]["weak"] == "static:w"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "is not a run folder"),
        ("{", "is damaged"),
        ('{"schema": 99}', "has schema 99, and this version of outgrow reads schema 1"),
        ("[]", "has schema None"),
    ],
)
def test_what_is_no_run_folder(tmp_path: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    with pytest.raises(OutgrowError, match=sentence):
        Results.read(tmp_path)


def test_predictions_round_trip_whatever_the_order_and_classes(tmp_path: Path) -> None:
    said = {
        ModelKey("t", "weak", "w", None, None, 3): guesses(150, 1, 5),
        ModelKey("t", "student", "w", "s", "naive", 3): guesses(120, 2, 5),
    }
    Predictions({"t": held_out(5)}, said).write(tmp_path)
    again = Predictions.read(tmp_path)
    assert set(again.probabilities) == set(said)
    for model, probabilities in said.items():
        np.testing.assert_array_equal(again.probabilities[model], probabilities)
    np.testing.assert_array_equal(again.tests["t"].truth, held_out(5).truth)
    assert again.tests["t"].classes == ("0", "1", "2", "3", "4")
    assert again.tests["t"].inputs[7] == "text 7"


def test_damaged_predictions_have_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutgrowError, match=r"examples\.parquet is missing"):
        Predictions.read(tmp_path)
    Predictions({"t": held_out()}, {ModelKey("t", "weak", "w", None, None, 0): guesses(1, 1)}).write(tmp_path)
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(OutgrowError, match="is damaged"):
        Predictions.read(tmp_path)


def test_tables_say_what_the_cells_say() -> None:
    cells = results([100, 110], [140, 150], [180, 190]).cells
    line = next(csv.DictReader(io.StringIO(csv_text(cells))))
    assert float(line["pgr_estimate"]) == cells[0]["pgr"]["estimate"]
    assert line["pgr_status"] == "ok"
    assert "| t | static:w | probe:s | naive | 2 | .525 [" in markdown(rows(cells))
    assert r"\toprule" in table(cells)
    undefined = results([150, 150], [150, 150], [150, 150]).cells
    assert next(csv.DictReader(io.StringIO(csv_text(undefined))))["pgr_estimate"] == ""
    assert "undefined: ceiling not above weak" in markdown(rows(undefined))


def test_latex_and_markdown_escape_names() -> None:
    (cell,) = results([100], [140], [180]).cells
    hostile = {**cell, "task": r"a|b_c&d\e%"}
    assert r"a\|b_c&d\e%" in markdown(rows([hostile]))
    assert r"a\textbar{}b\_c\&d\textbackslash{}e\%" in table([hostile])
    assert [escaped(text) for text in ("<.001", "-.5", "a--b", "[x]*")] == [
        r"\textless{}.001",
        "$-$.5",
        "a-{}-b",
        "{[}x{]}{*}",
    ]
    assert r"% strong student probe:s" in table([cell, {**cell, "method": "x"}])


def test_markup_in_names_is_no_markup() -> None:
    from rich.console import Console

    cells = results([100], [140], [180]).cells
    hostile = [{**cells[0], "task": "[bold]x[/bold]"}, cells[0]]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(terminal(hostile))
    assert "[bold]x[/bold]" in console.export_text()


def test_numbers_are_short() -> None:
    assert [short(value) for value in (0.5, 1.0, -0.25, 1.25, 0.9996)] == [".500", "1.000", "-.250", "1.250", "1.000"]
    assert number({"estimate": 0.5, "low": None, "high": None, "status": "ok"}) == ".500"


def test_gain_has_its_interval_and_p_where_pgr_is_undefined() -> None:
    """Of one seed: the paired t-test."""
    (cell,) = results([100], [140], [100]).cells
    assert cell["pgr"]["status"] == "undefined: ceiling not above weak"
    truth = held_out().truth
    weak, student = (1.0 * (guesses(right, seed).argmax(1) == truth) for right, seed in ((100, 10), (140, 20)))
    reference = stats.ttest_rel(student, weak)
    found = cell["gain"]
    assert found["estimate"] == pytest.approx(0.2)
    assert [found["low"], found["high"]] == pytest.approx(reference.confidence_interval())
    assert found["p"] == pytest.approx(reference.pvalue)
    (without,) = results(None, [140, 140], [180, 180]).cells
    assert without["gain"] == {
        "estimate": None,
        "low": None,
        "high": None,
        "status": "undefined: weak labels do not cover test",
        "p": None,
    }


def test_what_is_beyond_chance_alone_need_not_be_among_many() -> None:
    (cell,) = results([100, 100], [140, 140], [190, 190]).cells
    one = {**cell, "gain": {**cell["gain"], "p": 0.02}}
    assert "the student outgrows its supervisor beyond chance" in verdicts([one])[0]
    for sentence in verdicts([one, one, one]):
        assert "but not as one of the 3 cells listed (p .020, with Holm's correction .060)" in sentence


def test_accuracies_alone_are_never_beyond_chance(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text(
        "seed,weak,student,ceiling\n" + "".join(f"{s},.{600 + s},.{700 + 2 * s},.{800 - s}\n" for s in range(6))
    )
    results_of_table = score_accuracies(table)
    (sentence,) = verdicts(results_of_table.cells)
    assert results_of_table.cells[0]["gain"]["p"] < 0.05
    assert "beyond chance" not in sentence
    assert "the test set's own noise is left out, so that no effect has been shown" in sentence
