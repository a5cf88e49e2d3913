"""The three sentences, the terminal's bars, figures as files, and the command that writes reports."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grids import grid

from outgrow.core.errors import OutgrowError
from outgrow.report import figure_files
from outgrow.report.figures.calibration import CALIBRATION
from outgrow.report.figures.figure import drawn
from outgrow.report.markup import embedded
from outgrow.report.page import render, write
from outgrow.report.scene import Scene, read
from outgrow.report.tables.cell_tables import markdown, number, rows, terminal
from outgrow.report.tables.interval_bars import pgr_bars
from outgrow.report.words.sentences import verdict
from outgrow.report.words.summary import summary
from outgrow.results.run_results import Results

UNDEFINED = "undefined: ceiling not above weak"


def span(
    estimate: float | None, low: float | None = None, high: float | None = None, status: str = "ok"
) -> dict[str, Any]:
    return {"estimate": estimate, "low": low, "high": high, "status": status}


def cell(
    pgr: dict[str, Any],
    *,
    method: str = "naive",
    seeds: int = 5,
    covers: str = "seeds and examples",
    gain: float = 0.1,
    p: float | None = 1e-4,
) -> dict[str, Any]:
    return {
        "task": "reviews",
        "test_set": "test",
        "weak": "static:w",
        "strong": "probe:s",
        "method": method,
        "seeds": list(range(seeds)),
        "n_test": 1000,
        "covers": covers,
        "weak_accuracy": span(0.7, 0.68, 0.72),
        "student_accuracy": span(0.8, 0.78, 0.82),
        "ceiling_accuracy": span(0.9, 0.88, 0.92),
        "gain": {**span(gain, gain - 0.02, gain + 0.02), "p": p},
        "pgr": pgr,
    }


def test_a_clear_effect() -> None:
    assert summary([cell(span(0.5, 0.41, 0.59))]) == (
        "Asked: what share of the gap between the weak supervisor and a ceiling taught the truth does probe:s recover on "
        "reviews, taught by static:w with naive (5 seeds, 1,000 test examples)?",
        "The student reaches 0.800 [0.780, 0.820] where its supervisor reaches 0.700 [0.680, 0.720] and the ceiling "
        "0.900 [0.880, 0.920], so it recovers 50% (95% interval 41% to 59%) of the gap: "
        "the student outgrows its supervisor beyond chance.",
        "The 95% intervals hold the noise of training seeds and of test examples at once.",
    )


def test_no_effect() -> None:
    _, outcome, _ = summary([cell(span(0.03, -0.08, 0.14), p=0.6)])
    assert outcome.endswith("so it recovers 3% (95% interval −8% to 14%) of the gap: no effect has been shown.")
    _, outcome, _ = summary([cell(span(-0.3, -0.4, -0.2), gain=-0.06)])
    assert outcome.endswith("the student falls below its supervisor beyond chance.")
    _, outcome, _ = summary([cell(span(0.5, 0.41, 0.59), covers="seeds")])
    assert "beyond chance" not in outcome
    assert outcome.endswith("the test set's own noise is left out, so that no effect has been shown.")


def test_undefined() -> None:
    _, outcome, certainty = summary([cell(span(None, status=UNDEFINED))])
    assert outcome == (
        "The student reaches 0.800 [0.780, 0.820] where its supervisor reaches 0.700 [0.680, 0.720], and PGR is undefined: no "
        "gap to recover has been shown, since the ceiling reaches 0.900 [0.880, 0.920]. The student's gain over its supervisor "
        "is beyond chance: 0.100 [0.080, 0.120]."
    )
    assert certainty.endswith(
        "a gap to recover takes a weaker supervisor, a stronger student, or more test examples to tell the two apart."
    )
    without = {**cell(span(None, status="undefined: no truth on transfer")), "ceiling_accuracy": span(None)}
    assert (
        summary([without])[1] == "The student reaches 0.800 [0.780, 0.820], and PGR is undefined: no truth on transfer."
    )


def test_one_seed() -> None:
    asked, _, certainty = summary([cell(span(0.5, 0.41, 0.59), seeds=1, covers="examples")])
    assert "(1 seed, 1,000 test examples)" in asked
    assert certainty == (
        "One seed tells nothing of other seeds: the 95% intervals hold the noise of the test examples alone, and another seed "
        "may give another answer."
    )


def test_several_cells() -> None:
    cells = [
        cell(span(0.5, 0.41, 0.59)),
        cell(span(0.7, 0.6, 0.8), method="confidence"),
        cell(span(0.05, 0.01, 0.09), method="entropy", p=0.03),  # .06 with the other one that is left, .03 alone
        cell(span(None, status=UNDEFINED), method="product", p=0.5),
    ]
    asked, outcome, certainty = summary(cells)
    assert "with each of 4 methods (4 cells, 5 seeds each, 1,000 test examples)?" in asked
    assert outcome == (
        "The student outgrows its supervisor beyond chance in 2 of 4 cells (p with Holm's correction for 4); no effect "
        "has been shown in 1 of 4 cells; PGR is undefined in 1 of 4 cells (ceiling not above weak); the share recovered runs "
        "from 5% (95% interval 1% to 9%; entropy) to 70% (95% interval 60% to 80%; confidence)."
    )
    assert certainty.endswith("each is a cell's own, and the best of several cells is partly luck.")
    assert (
        "so that about 3 of 60 may miss" in summary([cell(span(0.5, 0.4, 0.6), method=f"m{n}") for n in range(60)])[2]
    )


def test_the_four_cases_from_predictions(tmp_path: Path) -> None:
    """Not from made-up intervals: the words follow what was measured."""
    one = {"weak": ["static:w"], "strong": ["probe:s"], "methods": ["naive"], "n": 600}
    said = {
        name: summary(Results.read(grid(tmp_path / name, **one, **more)).cells)
        for name, more in {
            "clear": {"gap": 0.25},
            "undefined": {"gap": 0.0},
            "one": {"gap": 0.25, "seeds": [3]},
        }.items()
    }
    assert "beyond chance." in said["clear"][1]
    assert "outgrows" in said["clear"][1]
    assert "PGR is undefined: no gap to recover has been shown" in said["undefined"][1]
    assert said["one"][2].startswith("One seed tells nothing")


def test_a_share_that_nothing_determines_is_not_a_number() -> None:
    wide, narrow = cell(span(0.4, -1.2, 2.3)), cell(span(0.6, -1.2, 1.9), method="confidence")
    assert [number(one["pgr"]) for one in (wide, narrow)] == ["not determined", ".600 [-1.200, 1.900]"]
    assert "recovers a share of the gap that is not determined (95% interval −120% to 230%):" in summary([wide])[1]
    assert "It recovers a share of the gap that is not determined (95% interval -120% to 230%)" in verdict(wide, 1e-4)
    assert "the one share that is defined is 60% (95% interval −120% to 190%; confidence)" in summary([wide, narrow])[1]
    assert "not determined" in markdown(rows([wide]))


def test_bars() -> None:
    bars = pgr_bars(
        [span(0.5, 0.3, 0.7), span(0.0, None, None), span(None), span(1.2, 0.9, 3.0), span(-0.1, -2.0, 0.1)], 21
    )
    # The scale runs from -.5 to 1.5, so that a place is a tenth.
    assert bars == [
        "·····│··━━●━━··│·····",
        "·····●·········│·····",
        "",
        "·····│········━━━●━━›",
        "‹━━━●━━········│·····",
    ]


def test_the_terminal_sorts_by_recovery() -> None:
    from rich.console import Console

    cells = [
        cell(span(0.5, 0.4, 0.6)),
        cell(span(None, status=UNDEFINED), method="product", p=0.5),
        cell(span(0.7, 0.6, 0.8), method="best"),
    ]
    for width in (80, 160):
        console = Console(width=width, record=True, file=io.StringIO())
        console.print(terminal(cells, width=width))
        text = console.export_text()
        assert [text.index(name) for name in ("best", "naive", "product")] == sorted(
            text.index(name) for name in ("best", "naive", "product")
        )
        assert text.count("●") == 2
        assert max(map(len, text.splitlines())) <= width


@pytest.mark.slow
def test_figures_as_files(tmp_path: Path) -> None:
    folder = grid(tmp_path / "run", curves=True, methods=["naive", "=1+1"], seeds=[0, 1], n=80)
    figures = tmp_path / "figures"
    command = [sys.executable, "-m", "outgrow", "report", str(folder), "--figures", str(figures), "--only", "all"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    files = sorted(path.name for path in figures.iterdir())
    assert f"wrote {len(files)} files into {figures}" in said
    stems = sorted({name.rpartition(".")[0] for name in files})
    assert files == sorted(f"{stem}.{ending}" for stem in stems for ending in ("csv", "pdf", "png", "svg", "txt"))
    assert {
        "pgr-probe-one",
        "pgr_weak_strong-naive",
        "pgr_weak_strong-=1-1",
        "accuracy-naive",
        "agreement-probe-two",
    } <= set(stems)
    begins = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}
    assert all((figures / name).read_bytes().startswith(begins.get(name[-3:], b"")) for name in files)
    assert "static:large" in (figures / "pgr-probe-one.svg").read_text()
    rows = list(csv.DictReader((figures / "pgr-probe-one.csv").read_text().splitlines()))
    cells = [cell for cell in Results.read(folder).cells if cell["strong"] == "probe:one"]
    assert [float(row["estimate"]) for row in rows] == [cell["pgr"]["estimate"] for cell in cells]
    assert {row["method"] for row in rows} == {"naive", "'=1+1"}


@pytest.mark.slow
def test_the_usual_figures_where_none_is_named(tmp_path: Path) -> None:
    strong = [f"probe:{number}" for number in range(7)]
    folder = grid(tmp_path / "run", weak=["static:w"], strong=strong, seeds=[0, 1], n=60)
    figures = tmp_path / "figures"
    command = [sys.executable, "-m", "outgrow", "report", str(folder), "--figures", str(figures)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert {path.stem for path in figures.iterdir()} == {"accuracy-naive", "accuracy-confidence", "paper"}
    assert "wrote 15 files" in said
    assert (
        "left out: pgr (7 panels), agreement (7 panels), calibration (7 panels); --only NAME,NAME or --only all" in said
    )
    few = subprocess.run([*command, "--only", "pgr"], capture_output=True, text=True, check=True).stdout
    assert "wrote 35 files" in few
    assert "left out" not in few


def test_only_the_figures_that_are_asked_for(tmp_path: Path) -> None:
    folder = grid(tmp_path / "run", strong=["probe:one"], methods=["naive", "product"], seeds=[0, 1], n=80)
    figures = tmp_path / "figures"
    command = [sys.executable, "-m", "outgrow", "report", str(folder)]
    subprocess.run([*command, "--figures", str(figures), "--only", "pgr, agreement"], capture_output=True, check=True)
    assert {path.stem for path in figures.iterdir()} == {"pgr", "agreement"}
    for options, sentence in (
        (
            ["--figures", str(tmp_path / "none"), "--only", "pgr,acuracy"],
            'no figure "acuracy"; did you mean "accuracy"?',
        ),
        (["--only", "pgr"], "say where with --figures DIR"),
    ):
        refused = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        assert refused.returncode == 2
        assert sentence in " ".join(refused.stderr.split())
    assert not (tmp_path / "none").exists()


def test_several_runs_together(tmp_path: Path) -> None:
    first = grid(tmp_path / "first", strong=["probe:one"], seeds=[0, 1], n=80)
    second = grid(tmp_path / "second", strong=["probe:one"], seeds=[0, 1], n=80)
    out = tmp_path / "both.html"
    command = [sys.executable, "-m", "outgrow", "report", str(first), str(second)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "say where with --out" in refused.stderr
    subprocess.run([*command, "--out", str(out)], check=True, capture_output=True)
    page = out.read_text()
    assert page.count('<tr role="row" data-cell') == 8
    assert "<bdi>first + second</bdi>" in page
    with pytest.raises(OutgrowError, match="given twice"):
        read([first, first])


def test_a_report_is_the_same_again_and_loads_no_torch(tmp_path: Path) -> None:
    folder = grid(tmp_path / "run", seeds=[0, 1], n=80)
    write(read([folder]), folder / "report.html")
    before = (folder / "report.html").read_bytes()
    script = (
        "import sys; from pathlib import Path; from outgrow.report.page import write; from outgrow.report.scene import read\n"
        f"folder = Path({str(folder)!r}); write(read([folder]), folder / 'report.html')\n"
        "print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"
    assert (folder / "report.html").read_bytes() == before


def test_what_is_embedded_ends_no_tag() -> None:
    text = embedded({"a": "</script><!-- \u2028\u2029 & 'x' \"y\" \x00"})
    assert not set("<>&\u2028\u2029\x00") & set(text)
    assert json.loads(text) == {"a": "</script><!-- \u2028\u2029 & 'x' \"y\" \x00"}


def test_a_csv_value_is_no_formula() -> None:
    assert [figure_files.harmless(value) for value in ("=1", "+1", "-x", "@a", "\t=1", "a=1", -0.5, None, 3)] == [
        "'=1", "+1", "'-x", "'@a", "'\t=1", "a=1", "-0.5", "", "3",
    ]  # fmt: skip


def test_calibration_by_hand(tmp_path: Path) -> None:
    """Ten bins of as many predictions, sorted by how sure they are: worked out again from the tables."""
    folder = grid(tmp_path / "run", weak=["static:w"], strong=["probe:s"], methods=["naive"], seeds=[0, 1], n=100)
    told = read([folder])[0]
    (figure,) = drawn([CALIBRATION], Scene([told]))
    rows = [row for row in next(iter(figure.panels.values())) if row["series"] == "ceiling"]
    values = [said for model, said in told.scored.tables.probabilities.items() if model.role == "ceiling"]
    truth = told.scored.test("reviews").truth
    pairs = sorted(
        (float(p.max()), int(p.argmax() == truth[place % 100])) for place, p in enumerate(np.concatenate(values))
    )
    for place, row in enumerate(rows):
        part = pairs[place * 20 : place * 20 + 20]
        assert row["predictions"] == 20
        assert row["confidence"] == pytest.approx(sum(sure for sure, _ in part) / 20, abs=2e-6)
        assert row["right"] == pytest.approx(sum(right for _, right in part) / 20)


def test_controls_and_what_a_student_is_worth(tmp_path: Path) -> None:
    folder = grid(tmp_path / "run", strong=["probe:s"], seeds=[0, 1], n=80)
    page = render(read([folder]))
    assert "No controls were run" in page
    assert "controls failed" not in page
    content = json.loads((folder / "results.json").read_text())
    content["controls"] = [
        {"control": "seed noise floor", "status": "ok", "says": "<b>quiet</b>"},
        {"control": "shuffled labels", "status": "failed", "says": "shuffled labels reach .610: something leaks"},
    ]
    content["cells"][0]["equivalent_labels"] = {
        "estimate": 120, "low": 80, "high": None, "status": "ok", "smallest": 25, "largest": 400,
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(content))
    page = render(read([folder]))
    assert "<b>1 of 2 controls failed</b>" in page
    assert page.index("something leaks") < page.index("&lt;b&gt;quiet&lt;/b&gt;")
    assert "does as well as 120 true labels would make it (95% interval 80 to more than 400)." in page
