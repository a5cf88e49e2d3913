"""Tables for papers as TeX sets them: they compile, and none is wider than its column.

Skips with the reason where there is no TeX: `apt-get install texlive-latex-recommended`, or tectonic.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from folders import folder
from grids import grid

from outgrow.report.tables import papers
from outgrow.report.tables.cell_tables import agreement_view, view
from outgrow.results.compare import compare
from outgrow.results.metrics.scores import metric_named
from outgrow.results.run_folder import read_run, with_metric

TWO_TASKS = {
    "sciq": {"weak": 0.6, "naive": 0.7, "confidence": 0.78, "ceiling": 0.9},
    "b": {"weak": 0.8, "naive": 0.75, "confidence": 0.8, "ceiling": 0.7},
}
HOSTILE = ["[0pt] a & b", "* 50% of $x_1^2$ #3", r"\input{nothing} {~}", "a--b <c> |d| …×–"]
CLASSES = {"one column": "", "two columns": "twocolumn"}


def compiled(text: str, folder: Path) -> str:
    """The log of a document; it must compile without an error. Skips where no TeX sets even an empty one."""
    engine = shutil.which("pdflatex") or shutil.which("tectonic")
    if engine is None:
        pytest.skip("LaTeX tables are not compiled: there is neither pdflatex nor tectonic")
    words = ["--keep-logs"] if Path(engine).name == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error"]

    def typeset(name: str, content: str) -> subprocess.CompletedProcess[str]:
        (folder / f"{name}.tex").write_text(content, encoding="utf-8")
        return subprocess.run(
            [engine, *words, f"{name}.tex"], cwd=folder, capture_output=True, text=True, errors="replace", check=False
        )

    # Without booktabs, or a tectonic without network: that is no fault of the tables.
    if typeset("empty", document(["x"])).returncode != 0:
        pytest.skip(f"LaTeX tables are not compiled: {engine} cannot set a document with booktabs and graphicx")
    done = typeset("paper", text)
    assert done.returncode == 0, done.stdout[-3000:]
    assert (folder / "paper.pdf").is_file()
    return (folder / "paper.log").read_text(encoding="utf-8", errors="replace")


def document(tables: list[str], options: str = "") -> str:
    floats = "\n".join(rf"\begin{{table}}\centering\caption{{A table}}{one}\end{{table}}\clearpage" for one in tables)
    return (
        rf"\documentclass[10pt,{options}]{{article}}\usepackage{{booktabs,graphicx}}\begin{{document}}"
        "\n" + floats + r"\end{document}"
    )


def tables(path: Path) -> list[str]:
    """All kinds of tables, of usual and of hostile names."""
    usual = folder(path / "usual", TWO_TASKS)
    cells, found = with_metric(usual, "macro_f1").cells, read_run(usual)
    made = [
        papers.table(cells),
        papers.table(cells[:1]),
        papers.table(cells, agreement_view(cells)),
        papers.pivot(cells, "task"),
    ]
    made.append(papers.table(cells, view(metric_named("macro_f1"))))
    made += [papers.differences(compare(found, by, at)) for by, at in (("method", "naive"), ("task", "b"))]
    hostile = read_run(grid(path / "hostile", tasks=HOSTILE[:2], methods=HOSTILE, seeds=[0, 1], n=40, strong=HOSTILE))
    cells = hostile.results.cells
    made += [papers.table(cells[:20]), papers.pivot(cells, "method"), papers.pivot(cells, "strong")]
    small = replace(compare(hostile, "method", HOSTILE[0]), rows=compare(hostile, "method", HOSTILE[0]).rows[:12])
    return [*made, papers.differences(small)]


@pytest.mark.parametrize("columns", CLASSES)
def test_tables_compile_and_stay_in_their_column(tmp_path: Path, columns: str) -> None:
    log = compiled(document(tables(tmp_path), CLASSES[columns]), tmp_path)
    assert "Overfull" not in log


def test_usual_tables_are_not_made_smaller(tmp_path: Path) -> None:
    """A table of two tasks, and a comparison, fit into the 345 points of an article as they are."""
    usual = read_run(folder(tmp_path / "run", TWO_TASKS))
    cells = usual.results.cells
    made = [papers.table(cells), papers.pivot(cells, "task"), papers.differences(compare(usual, "method", "naive"))]
    measured = "\n".join(rf"\setbox0=\hbox{{\linewidth=9999pt {one}\unskip}}\typeout{{width \the\wd0}}" for one in made)
    text = rf"\documentclass{{article}}\usepackage{{booktabs,graphicx}}\begin{{document}}x{measured}" + "\n"
    widths = [float(one) for one in re.findall(r"width ([\d.]+)pt", compiled(text + r"\end{document}", tmp_path))]
    assert len(widths) == 3
    assert max(widths) <= 345


def test_letters_that_pdflatex_does_not_know_are_named(tmp_path: Path) -> None:
    tasks = {"感情分析": TWO_TASKS["sciq"], "Größe – naïve ‘Łódź’…": TWO_TASKS["b"]}
    cells = read_run(folder(tmp_path / "run", tasks)).results.cells
    needs = papers.table(cells).splitlines()[:2]
    assert needs == [
        papers.NEEDS,
        "% xelatex or lualatex, and a font (fontspec's \\setmainfont) that has 感情分析",
    ]
    assert papers.pivot(cells, "task").splitlines()[1] == needs[1]
    latin = papers.table([cell for cell in cells if "naïve" in cell["task"]])
    assert "xelatex" not in latin
    compiled(document([latin]), tmp_path)


def test_what_all_rows_share_becomes_a_comment(tmp_path: Path) -> None:
    cells = read_run(folder(tmp_path / "run", {"a": TWO_TASKS["sciq"]})).results.cells
    lines = papers.table(cells).splitlines()
    assert "% task a" in lines
    assert any(line.startswith("% ceiling .900 [") for line in lines)
    assert r"method & student & gain & PGR \\" in lines
    one = papers.table(cells[:1])
    assert "ceiling" in one.partition(r"\toprule")[2]
