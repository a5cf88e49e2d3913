"""`outgrow next`: the batch it writes, the accuracy it tells by a filled one, and bad input."""

import csv
from pathlib import Path

import pytest
from saved_students import saved
from typer.testing import CliRunner

from outgrow.cli.app import app
from outgrow.core.errors import UsageError
from outgrow.questions.next_rows import measure, next_rows
from outgrow.tasks.sentiment import sentiment
from outgrow.teaching.saved.saved_student import load

pytestmark = pytest.mark.usefixtures("one_thread")
POOL = list(dict.fromkeys(sentiment().inputs))[10:410]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student") / "student"
    saved(folder, "static:wordllama", 2)
    return folder


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [{"text": text, "id": place} for place, text in enumerate([*POOL, *POOL[:3]])]
    return write(tmp_path_factory.mktemp("pool") / "pool.csv", rows)


def test_the_batch_is_the_files_rows_with_their_probability(student: Path, pool: Path, tmp_path: Path) -> None:
    known = write(tmp_path / "known.csv", [{"text": text} for text in POOL[:100]])
    out = tmp_path / "batch.csv"
    words = ["next", student, pool, "--rows", 50, "--random", 0.5, "--known", known, "-o", out, "--device", "cpu"]
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    assert "50 rows of 300 in" in done.output
    rows = read(out)
    assert list(rows[0]) == ["text", "id", "drawn_with", "careful_label"]
    assert len({row["text"] for row in rows}) == len(rows) == 50
    assert not {row["text"] for row in rows} & set(POOL[:100])
    assert all(POOL[int(row["id"])] == row["text"] and row["careful_label"] == "" for row in rows)
    batch = next_rows(load(student), pool, rows=50, random=0.5, known=[known], device="cpu")
    assert [float(row["drawn_with"]) for row in rows] == pytest.approx(list(batch.probability))
    assert len(set(batch.probability)) > 20
    assert next_rows(load(student), pool, rows=50, random=1.0, device="cpu").probability == pytest.approx(
        [50 / 400] * 50
    )
    assert (
        next_rows(load(student), pool, rows=50, seed=1, device="cpu").rows
        != next_rows(load(student), pool, rows=50, device="cpu").rows
    )


def test_accuracy_by_a_filled_batch(student: Path, pool: Path, tmp_path: Path) -> None:
    """Three labels of four are the student's own answer: weighted, what is said is that share of the weights."""
    from outgrow.teaching.saved.predict_files import predict_file

    batch = tmp_path / "batch.csv"
    next_rows(load(student), pool, batch, rows=60, random=0.3, device="cpu")
    predict_file(load(student), str(batch), str(tmp_path / "answers.csv"), device="cpu")
    answers = [row["label"] for row in read(tmp_path / "answers.csv")]
    classes = load(student).classes
    rows = read(batch)
    for place, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        other = classes[1 - classes.index(answer)]
        row["careful_label"] = "" if place % 10 == 9 else other if place % 4 == 0 else answer
    write(batch, rows)
    found = measure(load(student), batch, device="cpu")
    weights = [1 / float(row["drawn_with"]) for row in rows]
    counted = [(weight, place % 4 != 0) for place, weight in enumerate(weights) if place % 10 != 9]
    assert found.estimate == pytest.approx(sum(w for w, right in counted if right) / sum(w for w, _ in counted))
    assert found.labels == 54
    assert found.low < found.estimate < found.high
    done = CliRunner().invoke(app, ["next", str(student), str(batch), "--measure", "--device", "cpu"])
    assert done.output.startswith(
        f"The student is right on {found.estimate:.1%} of the rows that these 54 were drawn from"
    )


def test_bad_input(student: Path, pool: Path, tmp_path: Path) -> None:
    kept = load(student)
    with pytest.raises(
        UsageError, match="holds 400 distinct texts that are not labelled, fewer than the 500 of --rows"
    ):
        next_rows(kept, pool, rows=500)
    with pytest.raises(UsageError, match=r"none\.csv: there is no such file"):
        next_rows(kept, tmp_path / "none.csv")
    there = write(tmp_path / "there.csv", [{"text": text, "drawn_with": 1} for text in POOL])
    with pytest.raises(UsageError, match="has a column 'drawn_with' already"):
        next_rows(kept, there)
    with pytest.raises(UsageError, match="has no column 'careful_label' for the careful label"):
        measure(kept, there)
    odd = [{"text": text, "drawn_with": 0.5, "careful_label": "class 0"} for text in POOL[:30]]
    odd[3]["careful_label"] = "clas 0"
    odd[4]["drawn_with"] = "often"
    with pytest.raises(UsageError) as error:
        measure(kept, write(tmp_path / "odd.csv", odd))
    assert "label 'clas 0' in line 5 is none of the student's classes: class 0, class 1" in error.value.problems[0]
    assert "holds no probability above 0 in line 6" in error.value.problems[1]
    with pytest.raises(UsageError, match="3 rows have a label, too few to measure by"):
        measure(kept, write(tmp_path / "few.csv", odd[:3]))
    done = CliRunner().invoke(app, ["next", str(student), str(pool)])
    assert isinstance(done.exception, UsageError)
    assert "with -o" in str(done.exception)


def test_a_student_of_other_inputs_is_refused(student: Path, pool: Path) -> None:
    from dataclasses import replace

    from outgrow.teaching.labels.reading import Reading

    choices = replace(load(student), reading=Reading.of({"chosen": "text", "rejected": "id"}))
    with pytest.raises(UsageError, match="only rows of texts are drawn"):
        next_rows(choices, pool)
