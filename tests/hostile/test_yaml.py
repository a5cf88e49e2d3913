"""YAML that no person means, or that means something else in YAML 1.1: a word is a word, the rest a sentence."""

from pathlib import Path
from typing import Any

import pytest
from hostile import refused

from outgrow.core.errors import UsageError
from outgrow.core.files.yaml_file import DEEPEST, option_value, read_yaml

WORDS = [
    "true_labels.csv", "false_positive", "trueish", "True_x", "yes", "no", "on", "off", "y", "n", "Nullable", "nulls",
    "2024-13-45", "2024-01-01", "2024-01-01 10:00:00", "1:30", "190:20:30", "=", "01", "010", "089", "0b", "0x", "0_",
    "1_a", "--5", "²", "e5", ".", "-x", "1.2.3", "infinity", "nan", "+", "0o8",
]  # fmt: skip
VALUES: list[tuple[str, Any]] = [
    ("true", True), ("TRUE", True), ("False", False), ("null", None), ("~", None), ("", None), ("5", 5), ("-5", -5),
    ("+5", 5), ("1_000", 1000), ("0x1F", 31), ("0o17", 15), ("0b11", 3), ("5e-5", 5e-5), ("1.5", 1.5), ("-.5", -0.5),
    ("1.", 1.0), ("'true'", "true"), ("!!str 5", "5"), ("!!int 5", 5), ("!!float 5", 5.0), ("!!bool true", True),
]  # fmt: skip
REFUSED = [
    ("!!int abc", "is not a whole number"), ("!!bool maybe", "is not true or false"), ("!!float x", "a finite number"),
    ("!!null x", "is not null"), ("!!set {x}", "no tags"), ("!!omap [a: 1]", "no tags"), ("!!binary x", "no tags"),
    ("!!timestamp 2024-01-01", "no tags"), ("!!python/name:os.system x", "no tags"), ("!mine x", "no tags"),
    ("!!python/object/apply:os.system ['echo']", "no tags"), ("&a [*a]", "never ends"), ("&a {x: *a}", "never ends"),
    ("*nobody", "undefined alias"), ("'\\", "is not YAML"), ('"\\ud800"', "half of a surrogate pair"),
    ('"a\\0b"', "NUL"), (".inf", "finite"), (".nan", "finite"), ("1e999", "finite"), ("9" * 20, "whole number"),
    ("9" * 5000, "whole number"), ("-" + "9" * 400, "whole number"), ("1" * 70 + ".5", "finite"), ("[" * 60, "deep"),
    ("[" * 60 + "]" * 60, f"more than {DEEPEST} deep"), ("[" * 10_000, "deep"), ("{a: " * 60 + "1" + "}" * 60, "deep"),
    ("{[a]: 1}", "a key is a list"), ("{{a: 1}: 1}", "a key is a list"), ("{!!int x: 1}", "is not a whole number"),
    ("{a: 1, a: 2}", "twice"), ("{a: 1, 'a': 2}", "twice"), ("[1, 2", "is not YAML"), ("\x07", "U+0007"),
    ("\x00", "U+0000"), ("\x9b", "U+009B"), ("a\n---\nb", "is not YAML"), ("@x", "is not YAML"), ("%x", "is not YAML"),
]  # fmt: skip


def value(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "x.yaml"
    file.write_text(f"a: {text}\n", encoding="utf-8", errors="surrogatepass")
    return read_yaml(file)[0]["a"]


@pytest.mark.parametrize("text", WORDS)
def test_words(tmp_path: Path, text: str) -> None:
    assert value(tmp_path, text) == text


@pytest.mark.parametrize(("text", "meant"), VALUES)
def test_values(tmp_path: Path, text: str, meant: Any) -> None:
    found = value(tmp_path, text)
    assert (type(found), found) == (type(meant), meant)


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        value(tmp_path, text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("text", "sentence"), [pair for pair in REFUSED if pair[0][0] in "[{"])
def test_refused_as_an_option(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match="--student: "):
        option_value(text, "--student")


def test_aliases_are_counted_where_they_are_written_out(tmp_path: Path) -> None:
    rows = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    (tmp_path / "x.yaml").write_text("\n".join(rows))
    with pytest.raises(UsageError, match="more than 100,000 values"):
        read_yaml(tmp_path / "x.yaml")
    (tmp_path / "x.yaml").write_text("\n".join(rows[:4]))
    assert len(read_yaml(tmp_path / "x.yaml")[0]["d"]) == 10


def test_a_merge_key_keeps_its_meaning(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("base: &base {x: 1, y: 1}\na: {<<: *base, y: 2}")
    assert read_yaml(tmp_path / "x.yaml")[0]["a"] == {"x": 1, "y": 2}


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    from hostile import outgrow

    (tmp_path / "x.yaml").write_text("a: 1\n" * 300_000)
    refused(outgrow("plan", "x.yaml", "--store", "st", cwd=tmp_path), "is larger than")
