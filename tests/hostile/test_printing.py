"""Whatever names, data and plug-ins hold, a terminal gets plain text, and brackets stay brackets."""

import io
import json
from pathlib import Path

import pytest
from hostile import held, outgrow, refused

from outgrow.cli.printing import console_of
from outgrow.core.text.printable import printable, printable_json

NASTY = ["\x1b]0;PWN\x07", "\x1b[31mx", "\x9b31m", "a\rb", "\x08\x08", "\u202eabc", "\u2066x", "\ud800", "\x00", "\x7f"]
BRACKETS = ["[/b]", "[red]x", "[link=http://x]y[/link]", ":smile:", "[bold]", "\\[x]", "[/]", "[[x]]"]


@pytest.mark.parametrize("text", NASTY)
def test_nothing_that_a_terminal_obeys(text: str) -> None:
    assert printable(text).isprintable()
    assert json.loads(printable_json(json.dumps({"a": text}, ensure_ascii=False))) == {"a": text}
    assert printable_json(json.dumps(text, ensure_ascii=False)).isprintable()


@pytest.mark.parametrize("text", ["plain", "naïve 你好", "می‌خواهم", "👩‍👩‍👧", "a\nb", "[/x]"])
def test_text_stays_text(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("text", [*NASTY, *BRACKETS])
def test_tables_and_titles(text: str) -> None:
    from rich.table import Table
    from rich.text import Text

    out = io.StringIO()
    table = Table(text, title=text, caption=text)
    table.add_row(text)
    table.add_row(Text(text))
    console_of(out).print(table)
    console_of(out).print(text)
    assert printable(out.getvalue()) == out.getvalue()
    if text in BRACKETS:
        assert out.getvalue().count(text) == 6


@pytest.mark.parametrize("text", [text for text in NASTY if text != "\x00"])
@pytest.mark.parametrize(
    "command", ["show", "plan", "report", "predict", "check", "list", "score", "nonsense", "teach"]
)
def test_errors_that_name_what_was_given(tmp_path: Path, command: str, text: str) -> None:
    more = {"predict": ["rows.csv", "-o", "x.csv"], "score": ["--weak"], "teach": ["--text", "t", "--out", "s"]}
    words = [command, *more.get(command, []), text] if command == "score" else [command, text, *more.get(command, [])]
    ended = outgrow(*words, cwd=tmp_path)
    assert ended.code in (1, 2)
    held(ended)


@pytest.mark.parametrize("option", ["--store\x1b[31m", "--outt=\x1b", "-\x9b"])
def test_unknown_options(tmp_path: Path, option: str) -> None:
    refused(outgrow("run", option, cwd=tmp_path), "No such option")
