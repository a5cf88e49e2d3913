"""`predict --abstain`: its guarantee in simulated worlds, what it writes, and what it refuses."""

import csv
from pathlib import Path

import numpy as np
import pytest
from saved_students import TEXTS, saved
from typer.testing import CliRunner

from outgrow.cli.app import app
from outgrow.core.errors import UsageError
from outgrow.questions.abstain import abstention, from_file
from outgrow.tasks.sentiment import sentiment
from outgrow.teaching.saved.saved_student import load

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("wrong", [0.05, 0.1])
@pytest.mark.parametrize("careful", [150, 600])
def test_the_guarantee_holds_in_95_of_100_files(wrong: float, careful: int) -> None:
    """The chance of a mistake falls from 40% to 0 over the margin m: above t it is .2 (1 - t) for uniform margins."""
    random = np.random.default_rng([careful, int(100 * wrong)])
    broken = 0
    for _ in range(1000):
        margin = random.random(careful)
        right = (random.random(careful) >= 0.4 * (1 - margin)).astype(float)
        found = abstention(margin, right, wrong)
        if found is not None:
            broken += 0.2 * (1 - max(found.margin, 0)) > wrong
    assert broken / 1000 <= 0.05


def test_it_answers_most_of_what_could_be_answered() -> None:
    """The chance of a mistake is .4 (1 - m)^3: above t it is .1 (1 - t)^3, and .05 on the 79% of largest margin."""
    random = np.random.default_rng(3)
    kept = []
    for _ in range(200):
        margin = random.random(1000)
        found = abstention(margin, (random.random(1000) >= 0.4 * (1 - margin) ** 3).astype(float), 0.05)
        kept.append(0.0 if found is None else 1 - max(found.margin, 0))
    assert np.mean(kept) > 0.5


def test_a_student_that_is_always_right_answers_everything_and_few_labels_show_nothing() -> None:
    random = np.random.default_rng(0)
    found = abstention(random.random(300), np.ones(300), 0.05)
    assert found is not None
    assert (found.margin, found.answered, found.mistakes) == (-1.0, 300, 0)
    assert abstention(random.random(50), np.ones(50), 0.05) is None
    assert abstention(random.random(300), np.zeros(300), 0.05) is None


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_command_leaves_unsure_labels_blank(tmp_path: Path) -> None:
    """The careful labels are the student's own answers, but wrong where its margin is below the median."""
    saved(tmp_path / "student", "static:wordllama", 2)
    texts = list(dict.fromkeys(sentiment().inputs))[10:610]
    new = write(tmp_path / "new.csv", [{"text": text} for text in texts])
    words = ["predict", tmp_path / "student", new, "-o", tmp_path / "out.csv", "--device", "cpu"]
    assert CliRunner().invoke(app, list(map(str, words))).exit_code == 0
    plain = read(tmp_path / "out.csv")
    middle = float(np.median([float(row["margin"]) for row in plain]))
    other = {"class 0": "class 1", "class 1": "class 0"}
    careful = [
        {"text": row["text"], "label": row["label"] if float(row["margin"]) > middle else other[row["label"]]}
        for row in plain
    ]
    gold = write(tmp_path / "gold.csv", careful)
    done = CliRunner().invoke(app, [*map(str, words), "--abstain", "0.05", "--careful", str(gold)])
    assert done.exit_code == 0, done.output
    rows = read(tmp_path / "out.csv")
    known = from_file(load(tmp_path / "student"), gold, 0.05, device="cpu")
    assert middle * 0.5 < known.margin
    assert known.mistakes <= 0.05 * known.answered
    assert {row["label"] for row in rows if float(row["margin"]) <= known.margin - 1e-6} == {""}
    assert all(
        row["label"] == before["label"]
        for row, before in zip(rows, plain, strict=True)
        if float(row["margin"]) > known.margin + 1e-6
    )
    assert [row["p_class 0"] for row in rows] == [row["p_class 0"] for row in plain]
    assert "at most 5.0% are wrong, with 95% confidence" in done.output
    with pytest.raises(
        UsageError, match=r"6 careful labels cannot show that at most 5\.0% are wrong; label 99 or more"
    ):
        from_file(
            load(tmp_path / "student"),
            write(tmp_path / "few.csv", [{"text": one, "label": "class 0"} for one in TEXTS]),
            0.05,
        )
    worse = [{"text": row["text"], "label": other[row["label"]]} for row in plain]
    with pytest.raises(UsageError, match=r"wrong on more than 5.0% of these even where it is surest"):
        from_file(load(tmp_path / "student"), write(tmp_path / "worse.csv", worse), 0.05)
    with pytest.raises(UsageError, match=r"label 'class 9' in line 2 is none of the student's classes"):
        from_file(load(tmp_path / "student"), write(tmp_path / "odd.csv", [{"text": "x", "label": "class 9"}]), 0.05)
    alone = CliRunner().invoke(app, [*map(str, words), "--abstain", "0.05"])
    assert isinstance(alone.exception, UsageError)
    assert "give both" in str(alone.exception)
