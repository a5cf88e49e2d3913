"""Tasks from files: what is wrong with them, and test files, unlabelled rows and groups."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from written_tables import write

from outgrow.core.errors import UsageError
from outgrow.tasks.files import file_task


def problems_of(folder: Path, name: str, content: str, **options: Any) -> tuple[str, ...]:
    with pytest.raises(UsageError) as error:
        file_task(write(folder / name, content), **{"text": "text", "label": "label", **options})
    return tuple(text.replace(f"{folder}/", "") for text in error.value.problems)


@pytest.mark.parametrize(
    ("content", "options", "sentences"),
    [
        (
            "text,label\na,1\nb,\nc,0\nd,NaN\n",
            {},
            (
                "a.csv: column 'label' holds no label in line 3; "
                "fill it in, leave the rows out, or set unlabelled: true",
            ),
        ),
        (
            "text,label\na,1\nb,1.0\n",
            {},
            ("a.csv: column 'label' holds one class only ('1'); at least two are needed",),
        ),
        ("text,lable\na,1\nb,0\n", {}, ("a.csv: has no column 'label' for label; did you mean \"lable\"?",)),
        (
            "text;label\na;1\n",
            {"text": "text"},
            tuple(
                f"a.csv: has no column '{name}' for {name}; its header is one field, 'text;label': "
                "separate fields by commas"
                for name in ("text", "label")
            ),
        ),
        ("text,label\na,1\nb,0\n", {"group": "user"}, ("a.csv: has no column 'user' for group; there is label, text",)),
        (
            "text\na\nb\n",
            {"unlabelled": True},
            ("a.csv: no row has a label; test rows need one, here or in a test file",),
        ),
        (
            "text,label\n,1\na,1\n",
            {"group": "g"},
            (
                "a.csv: the text is empty in line 2; fill it in or leave the rows out",
                "a.csv: has no column 'g' for group; there is label, text",
                "a.csv: column 'label' holds one class only ('1'); at least two are needed",
            ),
        ),
    ],
)
def test_tasks_that_are_wrong(tmp_path: Path, content: str, options: Any, sentences: tuple[str, ...]) -> None:
    assert problems_of(tmp_path, "a.csv", content, **options) == sentences


def test_a_label_that_is_a_list(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "a.jsonl", '{"text": "a", "label": [1]}\n{"text": "b", "label": 0}\n') == (
        "a.jsonl: column 'label' holds something other than a word or a number in line 1; a label is one value",
    )


def test_problems_of_both_files_come_together(tmp_path: Path) -> None:
    held_out = write(tmp_path / "test.csv", "text,label\nx,2\ny,\n")
    assert problems_of(tmp_path, "a.csv", "text,label\na,1\n,0\n", test=held_out) == (
        "a.csv: the text is empty in line 3; fill it in or leave the rows out",
        "test.csv: column 'label' holds no label in line 3; fill it in, leave the rows out, or set unlabelled: true",
        "test.csv: '2' is not a class of a.csv; there is 0, 1",
    )
    assert problems_of(
        tmp_path, "main.jsonl", '{"text": "a", "label": 1}\n{"text": ""}', test=tmp_path / "tset.csv"
    ) == (
        'tset.csv: there is no such file; did you mean "test.csv" or "a.csv"?',
        "main.jsonl: the text is empty in line 2; fill it in or leave the rows out",
        "main.jsonl: column 'label' holds no label in line 2; fill it in, leave the rows out, or set unlabelled: true",
    )


def test_a_test_file_follows_the_main_file(tmp_path: Path) -> None:
    main = write(tmp_path / "a.csv", "text,label,user\na,1,u\nb,0,v\n")
    held_out = write(tmp_path / "b.jsonl", '{"text": "x", "label": true}\n{"text": "y", "label": "0"}\n')
    with pytest.raises(UsageError, match="'true' is not a class of"):
        file_task(main, text="text", label="label", test=held_out)
    write(held_out, '{"text": "x", "label": 1}\n{"text": "y", "label": "0", "more": [1]}\n')
    task = file_task(main, text="text", label="label", test=held_out)
    assert (list(task.inputs), list(task.labels)) == (["a", "b", "x", "y"], ["1", "0", "1", "0"])
    assert task.test == [False, False, True, True]
    assert task.columns["user"] == ["u", "v", None, None]
    assert task.columns["more"] == [None, None, None, [1]]


def test_unlabelled_rows_and_files(tmp_path: Path) -> None:
    some = write(tmp_path / "a.csv", "text,label\na,yes\nb,\nc,no\n")
    assert list(file_task(some, text="text", label="label", unlabelled=True).labels) == ["yes", None, "no"]
    none = write(tmp_path / "b.csv", "text\na\nb\n")
    held_out = write(tmp_path / "test.csv", "text,label\nx,yes\ny,no\n")
    task = file_task(none, text="text", label="label", test=held_out, unlabelled=True)
    assert (list(task.labels), task.classes) == ([None, None, "yes", "no"], ("no", "yes"))
    blank = write(tmp_path / "blank.csv", "text,label\nx,yes\ny,\nz,no\n")
    with pytest.raises(UsageError, match=r"blank\.csv: column 'label' holds no label in line 3"):
        file_task(none, text="text", label="label", test=blank, unlabelled=True)
    one = write(tmp_path / "c.csv", "text,label\nx,yes\ny,yes\n")
    with pytest.raises(UsageError, match=r"c\.csv: column 'label' holds one class only \('yes'\)"):
        file_task(none, text="text", label="label", test=one, unlabelled=True)


def test_groups_are_spelled_one_way(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "\n".join(json.dumps(row) for row in [
        {"text": "a", "label": 0, "g": 1}, {"text": "b", "label": 1, "g": 1.0}, {"text": "c", "label": 1, "g": None},
    ]))  # fmt: skip
    assert file_task(path, text="text", label="label", group="g").groups == ["1", "1", None]


def test_without_network_a_hub_name_ends_in_a_sentence_soon(tmp_path: Path) -> None:
    """A closed port stands for the missing network; a folder stands for an earlier download."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "datasets--some--kept"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    write_to = cached / "snapshots" / commit
    write_to.mkdir(parents=True)
    write(write_to / "train.csv", "sentence,label\na,0\nb,1\n")
    script = """
from outgrow.core.errors import UsageError
from outgrow.tasks.files import hub_commit, hub_task
for look in (lambda: hub_commit("some/name"), lambda: hub_task("some/name", "0" * 40, text="t", label="l")):
    try:
        look()
    except UsageError as error:
        print(*error.problems)
commit = hub_commit("some/kept")
task = hub_task("some/kept", commit, text="sentence", label="label")
print(commit, hub_commit("some/name", "f" * 40), list(task.inputs), list(task.labels))
try:
    hub_task("some/kept", commit, split="tset", text="sentence", label="label")
except UsageError as error:
    print(*error.problems)
"""
    environment = {
        **os.environ,
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    sentence = (
        "some/name: the hub cannot be reached and no copy is cached; go online, name a local file, "
        "or set HF_HUB_CACHE to a folder that holds it"
    )
    lines = done.stdout.splitlines()
    assert lines[:2] == [sentence, sentence]
    assert lines[2] == f"{commit} {'f' * 40} ['a', 'b'] ['0', '1']"
    assert lines[3].startswith('some/kept (tset): cannot be loaded: Unknown split "tset"')
