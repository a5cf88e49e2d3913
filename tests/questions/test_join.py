"""`outgrow join`: the rule that careful labels choose, what each voter does, and bad input."""

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from outgrow.cli.app import app
from outgrow.core.errors import UsageError
from outgrow.questions.join import join_files
from outgrow.teaching.sentences import JOINS


def write(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def crowd(tmp_path: Path) -> tuple[Path, Path, dict[str, str]]:
    """300 tasks, six workers of which the last is wrong on purpose, five votes a task, and 100 tasks with their truth."""
    random = np.random.default_rng(0)
    truth = {f"task {place}": str(random.choice(["no", "yes"])) for place in range(300)}
    accuracy = {"ann": 0.95, "bob": 0.8, "cy": 0.75, "di": 0.6, "ed": 0.6, "=fay": 0.1}
    rows = [
        [task, who, right if random.random() < accuracy[who] else {"no": "yes", "yes": "no"}[right]]
        for task, right in truth.items()
        for who in random.permutation(list(accuracy))[:5].tolist()
    ]
    votes = write(tmp_path / "votes.csv", ["task", "worker", "answer"], rows)
    gold = write(tmp_path / "gold.csv", ["task", "label"], [[task, truth[task]] for task in list(truth)[:100]])
    return votes, gold, truth


def test_votes_are_joined_by_the_best_rule_and_each_voter_is_described(
    crowd: tuple[Path, Path, dict[str, str]], tmp_path: Path
) -> None:
    votes, gold, truth = crowd
    out, voters = tmp_path / "joined.csv", tmp_path / "voters.csv"
    options = [
        "--text",
        "task",
        "--label",
        "answer",
        "--voter",
        "worker",
        "--truth",
        gold,
        "-o",
        out,
        "--voters",
        voters,
    ]
    done = CliRunner().invoke(app, ["join", str(votes), *map(str, options)])
    assert done.exit_code == 0, done.output
    found = join_files(votes, text="task", columns=["answer"], voter="worker", truth=gold)
    accuracies = dict(found.tried)
    assert found.by != "majority"
    assert accuracies[found.by] >= accuracies["majority"] + 0.05
    assert f"1,500 labels of 6 voters on 300 texts, joined by {JOINS[found.by]}." in done.output
    right = np.mean([truth[text] == label for text, label in zip(found.texts, found.labels, strict=True)])
    assert right > 0.93
    assert found.accuracy.low <= right <= found.accuracy.high
    assert found.careful == 100
    rows = read(out)
    assert [(row["task"], row["label"], row["votes"]) for row in rows] == [
        (text, label, "5") for text, label in zip(found.texts, found.labels, strict=True)
    ]
    assert all(float(row["p_no"]) + float(row["p_yes"]) == pytest.approx(1, abs=1e-6) for row in rows)
    by_name = {one.name: one for one in found.voters}
    asked = read(votes)
    for name, one in by_name.items():
        mine = [row for row in asked if row["worker"] == name]
        assert one.labels == len(mine) == one.overlaps
        assert one.coverage == pytest.approx(len(mine) / 300)
        known = [row for row in mine if row["task"] in list(truth)[:100]]
        assert one.careful == len(known)
        assert one.accuracy.estimate == pytest.approx(np.mean([truth[row["task"]] == row["answer"] for row in known]))
        assert one.by_model == pytest.approx(np.mean([truth[row["task"]] == row["answer"] for row in mine]), abs=0.06)
    contradicted = sum(
        any(other["task"] == row["task"] and other["answer"] != row["answer"] for other in asked)
        for row in asked
        if row["worker"] == "ann"
    )
    assert by_name["ann"].conflicts == contradicted
    assert [row["voter"] for row in read(voters)] == ["'=fay", "ann", "bob", "cy", "di", "ed"]


def test_columns_of_rules_and_one_that_meets_no_other(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        [f"text {place}", "a" if place < 20 else "", "b" if place < 10 else "", ""] for place in range(30)
    ]
    rows += [[f"more {place}", "b", "", ""] for place in range(10)]
    rows += [[f"alone {place}", "", "", "a"] for place in range(5)]
    file = write(tmp_path / "rules.csv", ["text", "one", "two", "three"], rows)
    found = join_files(file, text="text", columns=["one", "two", "three"], out=tmp_path / "out.jsonl")
    one, two, three = found.voters
    assert (one.labels, one.overlaps, one.conflicts) == (30, 10, 10)
    assert (two.labels, two.overlaps, two.conflicts) == (10, 10, 10)
    assert (three.labels, three.overlaps, three.by_model, three.accuracy) == (5, 0, None, None)
    assert found.accuracy is None
    assert found.labels.count(None) == 10
    assert found.by == "majority"


def test_votes_of_one_voter_count_once(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["t", "ann", "a"],
        ["t", "ann", "a"],
        ["t", "bob", "b"],
        ["t", "cy", "b"],
        ["u", "ann", "a"],
        ["u", "ann", "b"],
    ]
    file = write(tmp_path / "votes.csv", ["item", "who", "label"], rows)
    found = join_files(file, text="item", columns=["label"], voter="who")
    assert dict(zip(found.texts, found.votes.tolist(), strict=True)) == {"t": 3, "u": 0}
    assert found.labels == ["b", None]


def test_bad_input(crowd: tuple[Path, Path, dict[str, str]], tmp_path: Path) -> None:
    votes, gold, _ = crowd
    with pytest.raises(UsageError) as error:
        join_files(votes, text="tsk", columns=["answr"], voter="who", truth=tmp_path / "none.csv")
    told = "\n".join(error.value.problems)
    for sentence in ("has no column 'who' for the voter", "has no column 'answr'", "none.csv: there is no such file"):
        assert sentence in told
    with pytest.raises(UsageError, match="one column of labels has nothing to join"):
        join_files(votes, text="task", columns=["answer"])
    write(tmp_path / "few.csv", ["task", "label"], [["task 1", "no"], ["task 2", "yes"]])
    with pytest.raises(UsageError, match="2 texts with a careful label are too few"):
        join_files(votes, text="task", columns=["answer"], voter="worker", truth=tmp_path / "few.csv")
    assert gold.exists()
