"""A sealed evaluation: submissions are checked, counted and corrected; the ledger notices what is done to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import ROOT
from sealed_parts import SEEDS, N, answers, sealed

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.results.sealed import ledger
from outgrow.results.sealed.attempts import Threshold, ask_holdout
from outgrow.results.sealed.submit import read_right, sentences, submit
from outgrow.results.statistics.recovery import recovery


def fault(call: Callable[[], Any], kind: type[OutgrowError] = OutgrowError) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def test_the_best_of_several_has_a_wider_interval(tmp_path: Path) -> None:
    part = sealed(tmp_path / "key")
    files = [answers(tmp_path / f"a{i}.csv", part, 0.75 + i / 50, i) for i in range(4)]
    found = [submit(tmp_path / "key", file) for file in files]
    assert [one["submissions"] for one in found] == [1, 2, 3, 4]
    best = found[-1]["best"]
    right = read_right(files[best["submission"] - 1], part)
    open_ = ~part.held
    tables = [table[:, open_] for table in (part.weak, right, part.ceiling)]
    wanted = recovery(*tables, part.groups[open_], 1 - 0.05 / 4)["pgr"]
    assert (best["pgr"]["low"], best["pgr"]["high"]) == (wanted.low, wanted.high)
    assert best["student_accuracy"]["estimate"] == max(one["this"]["student_accuracy"]["estimate"] for one in found)
    alone = recovery(*tables, part.groups[open_])["pgr"]
    assert best["pgr"]["low"] < alone.low < alone.high < best["pgr"]["high"]
    first, second, *_ = sentences(found[-1])
    assert first.startswith("Submission 4 of 4: accuracy 0.8")
    assert first.endswith("], with intervals as if it were the only attempt.")
    assert second.startswith(f"The best of 4 is submission {best['submission']}: accuracy 0.8")
    assert second.endswith(
        "], an interval that holds for all 4 at once (Bonferroni) where none of them was chosen by the scores of others."
    )
    undefined = {"estimate": None, "low": None, "high": None, "status": "undefined: ceiling not above weak"}
    changed = {"this": {**found[-1]["this"], "pgr": undefined}, "best": {**best, "pgr": undefined, "holdout_pgr": None}}
    told = sentences({**found[-1], **changed, "again": True, "holdout_left": 1})
    assert told[0].startswith("Submission 4 of 4 (the same file as before, counted once): accuracy 0.8")
    for sentence in told[:2]:
        assert sentence.endswith("PGR undefined: ceiling not above weak.")
    assert told[2].endswith("1 answer of the holdout is left for submissions whose halves differ.")
    again = submit(tmp_path / "key", files[0])
    assert again["again"] is True
    assert (again["submission"], again["submissions"], again["this"]) == (1, 4, found[0]["this"])


def test_answers_with_faults_are_refused_and_not_counted(tmp_path: Path) -> None:
    part = sealed(tmp_path / "key")
    lines = answers(tmp_path / "a.csv", part).read_text().splitlines()
    bad = tmp_path / "bad.csv"

    def said(changed: list[str]) -> str:
        bad.write_text("\n".join(changed) + "\n")
        return fault(lambda: submit(tmp_path / "key", bad), UsageError)

    assert f"2 of {N * len(SEEDS)} answers are missing" in said(lines[:-2])
    assert "line 602: holds an id that the test inputs do not have" in said([*lines, "0,9999,pos"])
    assert "line 602: answers an id of a seed a second time" in said([*lines, lines[1]])
    assert "holds a seed that is none of 0, 1, 2" in said([*lines, "5,0001,pos"])
    assert "is not a class; the classes are neg, pos" in said(
        [*lines[:-1], lines[-1].replace("neg", "x").replace("pos", "x")]
    )
    assert "has no column 'label'" in said(["seed,id,answer", *lines[1:]])
    assert ledger.read(tmp_path / "key", part.hash).lines == []


def test_a_changed_sealed_part_or_ledger_is_noticed(tmp_path: Path) -> None:
    key = tmp_path / "key"
    part = sealed(key)
    file = answers(tmp_path / "a.csv", part)
    for i in range(3):
        submit(key, answers(tmp_path / "a.csv", part, seed=i))
    book, head = key / ledger.LINES, key / ledger.HEAD
    whole, anchor = book.read_bytes(), head.read_bytes()
    lines = whole.splitlines(keepends=True)
    edited = json.loads(lines[1])
    edited["accuracy"] = 0.99
    for changed in (
        b"".join([lines[0], json.dumps(edited).encode() + b"\n", lines[2]]),  # another value
        b"".join([lines[0], lines[2]]),  # a line taken out
        b"".join([lines[1], lines[0], lines[2]]),  # another order
        b"".join(lines[:2]),  # the end cut off
        b"",
        b"not JSON\n",
    ):
        book.write_bytes(changed)
        assert "was changed or damaged" in fault(lambda: submit(key, file))
        assert book.read_bytes() == changed
    book.write_bytes(whole)
    head.write_text("{}")
    assert "head of the ledger cannot be read" in fault(lambda: submit(key, file))
    head.write_bytes(anchor)
    assert submit(key, file)["submissions"] == 3
    table = key / "submissions" / "1.npy"
    np.save(table, 1 - np.load(table))
    (key / "submissions" / "2.npy").unlink()
    (key / "submissions" / "3.npy").unlink()
    assert "submissions" in fault(lambda: submit(key, answers(tmp_path / "b.csv", part, 0.5, 9)))
    content = key / "sealed.json"
    content.write_text(content.read_text().replace('"salt": "salt"', '"salt": "sugar"'))
    assert "does not match its hash" in fault(lambda: submit(key, file))
    assert "--sealed names the folder" in fault(lambda: submit(tmp_path, file))


def test_a_kill_while_appending_loses_nothing_that_was_told(tmp_path: Path) -> None:
    key = tmp_path / "key"
    part = sealed(key)
    first = submit(key, answers(tmp_path / "a.csv", part))
    book, head = key / ledger.LINES, key / ledger.HEAD
    anchor = head.read_bytes()
    with book.open("ab") as file:
        file.write(b'{"accuracy": 0.9, "ans')  # a line without its end
    again = submit(key, tmp_path / "a.csv")
    assert (again["submissions"], again["ledger"]) == (1, first["ledger"])
    second = submit(key, answers(tmp_path / "b.csv", part, 0.7, 1))
    head.write_bytes(anchor)  # killed between the line and the head
    assert submit(key, tmp_path / "b.csv")["ledger"] == second["ledger"]
    assert json.loads(head.read_bytes())["lines"] == 2
    code = (
        "import os, signal, sys; from pathlib import Path; from outgrow.core.files import disk; "
        "from outgrow.results.sealed.submit import submit; "
        "disk.write_json = lambda *_: os.kill(os.getpid(), signal.SIGKILL); submit(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    third = answers(tmp_path / "c.csv", part, 0.9, 2)
    done = subprocess.run([sys.executable, "-c", code, str(key), str(third)], cwd=ROOT, env={**os.environ}, check=False)
    assert done.returncode == -signal.SIGKILL
    found = submit(key, third)
    assert (found["again"], found["submissions"]) == (True, 3)


def test_two_submissions_at_once_are_both_counted(tmp_path: Path) -> None:
    part = sealed(tmp_path / "key")
    files = [answers(tmp_path / f"a{i}.csv", part, 0.8, i) for i in range(6)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda file: submit(tmp_path / "key", file), files))
    assert sorted(one["submission"] for one in found) == [1, 2, 3, 4, 5, 6]
    assert len(ledger.read(tmp_path / "key", part.hash).lines) == 6


def test_the_holdout_follows_thresholdout() -> None:
    """Halves that agree: the open half's mean. Halves apart: the holdout's, within its noise, until the budget is spent."""
    rule = Threshold(0.05, 0.001, 3)
    near = [ask_holdout(0.80, 0.81, rule, "s", number, 0) for number in range(50)]
    assert {one.value for one in near} == {0.80}
    far = [ask_holdout(0.95, 0.80, rule, "s", number, 0) for number in range(200)]
    assert all(one.spent for one in far)
    values = np.array([one.value for one in far])
    assert abs(np.mean(values) - 0.80) < 0.0005
    assert np.std(values) == pytest.approx(0.001 * np.sqrt(2), rel=0.3)
    assert ask_holdout(0.95, 0.80, rule, "s", 1, 3).value is None
