"""Tables within a width: what is the same leaves, then bars and intervals; names wrap at spaces and end in …"""

import io
from typing import Any

import pytest
from rich.console import Console

from outgrow.report.tables.cell_tables import number, terminal
from outgrow.report.tables.terminal import Column, fitted, without_constants


def printed(table: Any, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def span(estimate: float) -> dict[str, Any]:
    return {"estimate": estimate, "low": estimate - 0.02, "high": estimate + 0.02, "status": "ok"}


def cells(weak: list[str], strong: list[str], methods: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "task": "reviews", "test_set": "test", "weak": w, "strong": s, "method": m, "seeds": [0, 1],
            "covers": "seeds and examples",
            "weak_accuracy": span(0.7 + 0.01 * place), "student_accuracy": span(0.8 + 0.001 * place),
            "ceiling_accuracy": span(0.9), "gain": span(0.1 + 0.001 * place), "pgr": span(0.5 + 0.01 * place),
        }
        for place, (w, s, m) in enumerate((w, s, m) for w in weak for s in strong for m in methods)
    ]  # fmt: skip


LONG = cells(
    ["static:wordllama rows=200", "static:wordllama"],
    ["probe:sentence-transformers/all-MiniLM-L6-v2 layer=2", "probe:minilm"],
    ["naive", "confidence alpha=[0.25,0.5,0.75]"],
)


@pytest.mark.parametrize("width", [80, 100, 120, 140])
def test_a_table_fits_and_cuts_no_name_inside_a_word(width: int) -> None:
    text = printed(terminal(LONG, width=width), width)
    assert max(map(len, text.splitlines())) <= width
    for cell in LONG:
        assert number(cell["student_accuracy"]) in text
        assert number(cell["pgr"]) in text
    known = {word for cell in LONG for name in ("weak", "strong", "method") for word in cell[name].split()}
    for word in (word.strip("│┃") for word in text.split()):
        if word.startswith(("static:", "probe:", "alpha=", "rows=", "layer=", "confid")):
            assert word in known or (word.endswith("…") and any(name.startswith(word[:-1]) for name in known)), word


def test_titles_and_names_are_on_one_line_where_there_is_room() -> None:
    rows = cells(["static:a rows=20", "static:b"], ["probe:s", "probe:t"], ["naive"])
    for row in rows:
        row["test_set"] = "meals"
    text = printed(terminal([*rows, {**rows[0], "test_set": "test"}], width=140), 140)
    assert "test set" in text
    assert "weak supervisor" in text
    assert "static:a rows=20" in text


def test_names_that_are_cut_still_tell_rows_apart() -> None:
    weak, methods = ["static:wordllama", "given:crowd.csv"], ["naive", "confidence"]
    for strong, student_whole in (
        (["probe:minilm", "probe:mpnet"], True),
        (["probe:minilm-a", "probe:minilm-b"], False),
    ):
        rows = [{**cell, "task": task} for task in ("sentiment", "news") for cell in cells(weak, strong, methods)]
        text = printed(terminal(rows, width=80), 80)
        assert max(map(len, text.splitlines())) <= 80
        assert all(number(cell["pgr"]) in text for cell in rows)
        # The student's interval yields where two students would look alike.
        assert all((number(cell["student_accuracy"]) in text) is student_whole for cell in rows)
        body = [line for line in text.splitlines() if line.startswith(("sentiment", "news"))]
        shown = {tuple(line.split()[:4]) for line in body}
        assert len(body) == len(shown) == 16


def test_what_all_cells_share_is_in_the_title() -> None:
    text = printed(terminal(LONG, width=120), 120)
    assert "task reviews; ceiling .900 [.880, .920]" in " ".join(text.split())
    assert text.count("ceiling") == 1


def test_the_bar_leaves_first_then_intervals_then_columns() -> None:
    few = cells(["static:a", "static:b"], ["probe:s"], ["naive", "other"])

    def found(width: int) -> tuple[bool, bool, bool]:
        text = printed(terminal(few, width=width), width)
        return "●" in text, "[.680, .720]" in text, ".700" in text

    assert [found(width) for width in (120, 110, 90, 60)] == [
        (True, True, True),
        (False, True, True),
        (False, False, True),
        (False, False, False),
    ]


def test_columns_that_are_the_same_leave_but_not_of_one_row() -> None:
    columns = [Column("a", ["x", "y"]), Column("b", ["1", "1"]), Column("c", ["", ""])]
    kept, same = without_constants(columns)
    assert [column.title for column in kept] == ["a"]
    assert same == [("b", "1")]
    assert without_constants([Column("b", ["1"])])[0] == [Column("b", ["1"])]


def test_brackets_of_a_name_are_no_markup() -> None:
    assert "[bold]x[/bold]" in printed(fitted([Column("a", ["[bold]x[/bold]"], is_name=True)], 60), 60)
