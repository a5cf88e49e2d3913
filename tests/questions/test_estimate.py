"""`outgrow estimate`: shares and accuracies of a file whose truth is known, its groups, and bad input."""

import csv
from pathlib import Path

import numpy as np
import pytest
from taught import make_files, read, write
from typer.testing import CliRunner

from outgrow.cli.app import app
from outgrow.core.errors import UsageError
from outgrow.questions.estimate import Estimated, estimate_files
from outgrow.questions.material import Place
from outgrow.tasks.sentiment import sentiment

pytestmark = pytest.mark.usefixtures("one_thread")
TRUTH = dict(zip(sentiment().inputs, map(str, sentiment().labels), strict=True))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The usual files; rows.csv: all texts that anybody labelled and 400 new ones, in two groups by their length."""
    folder = make_files(tmp_path_factory.mktemp("files"))
    texts = [row[0] for row in read(folder / "labels.csv")]
    texts += [text for text in TRUTH if text not in set(texts)][:480]
    texts += [row[0] for row in read(folder / "gold.csv") if row[0] not in set(texts)]
    write(folder / "rows.csv", ["text", "size"], [(text, "long" if len(text) > 60 else "short") for text in texts])
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("store"))


def of(found: list[Estimated] | tuple[Estimated, ...], quantity: str, name: str | None, group: str | None) -> Estimated:
    (one,) = [one for one in found if (one.quantity, one.of_class, one.group) == (quantity, name, group)]
    return one


def test_shares_and_accuracies_of_a_file_and_its_groups(files: Path, place: Place) -> None:
    options = {
        "text": "text",
        "columns": ["person"],
        "truth": files / "gold.csv",
        "student": "wordllama",
        "place": place,
    }
    found = estimate_files(files / "labels.csv", rows=files / "rows.csv", by="size", **options)
    rows = read(files / "rows.csv")
    for group in (None, "long", "short"):
        mine = [TRUTH[text] for text, size in rows if group in (None, size)]
        positive = of(found.found, "share", "1", group)
        assert positive.rows == len(mine)
        assert positive.low <= np.mean([one == "1" for one in mine]) <= positive.high
        assert positive.high - positive.low < positive.alone[2] - positive.alone[1]
        assert positive.worth > positive.careful
        assert positive.estimate + of(found.found, "share", "0", group).estimate == pytest.approx(1, abs=0.02)
    labels = of(found.found, "labels", None, None)
    known = [row[3] == TRUTH[row[0]] for row in read(files / "labels.csv")]
    assert labels.rows == 800
    assert labels.low <= np.mean(known) <= labels.high
    assert of(found.found, "student", None, None).estimate > 0.6
    assert found.needed > 200


def test_a_text_in_several_rows_counts_so_often(files: Path, place: Place, tmp_path: Path) -> None:
    rows = read(files / "rows.csv")
    options = {
        "text": "text",
        "columns": ["person"],
        "truth": files / "gold.csv",
        "student": "wordllama",
        "place": place,
    }
    more = write(
        tmp_path / "rows.csv", ["text"], [row[:1] for row in rows for _ in range(3 if TRUTH[row[0]] == "1" else 1)]
    )
    found = estimate_files(files / "labels.csv", rows=more, **options)
    positive = of(found.found, "share", "1", None)
    share = np.mean([TRUTH[row[0]] == "1" for row in read(more)])
    assert positive.rows == len(read(more))
    assert positive.low <= share <= positive.high


def test_the_command_says_and_writes_the_same(files: Path, place: Place, tmp_path: Path) -> None:
    words = [
        files / "labels.csv",
        "--text",
        "text",
        "--label",
        "person",
        "--truth",
        files / "gold.csv",
        "--within",
        "5",
    ]
    words += ["--student", "wordllama", "--store", place.store, "-o", tmp_path / "out.csv", "--device", "cpu"]
    done = CliRunner().invoke(app, ["estimate", *map(str, words)])
    assert done.exit_code == 0, done.output
    options = {
        "text": "text",
        "columns": ["person"],
        "truth": files / "gold.csv",
        "student": "wordllama",
        "place": place,
    }
    found = estimate_files(files / "labels.csv", within=0.05, **options)
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["estimate"]) for row in rows] == [one.estimate for one in found.found]
    assert [float(row["alone_low"]) for row in rows] == [one.alone[1] for one in found.found]
    assert (
        "note: 80 texts of gold.csv are not in labels.csv: they count if they were drawn from texts of the same kind"
        in done.output
    )
    assert "200 careful labels are worth" in done.output
    assert ("label about" in done.output) == (found.needed > 200)


def test_a_group_of_few_careful_labels_has_no_estimate(files: Path, place: Place, tmp_path: Path) -> None:
    rows = read(files / "rows.csv")
    write(
        tmp_path / "rows.csv",
        ["text", "size"],
        [(text, "one" if place_ < 5 else "rest") for place_, (text, _) in enumerate(rows)],
    )
    options = {
        "text": "text",
        "columns": ["person"],
        "truth": files / "gold.csv",
        "student": "wordllama",
        "place": place,
    }
    found = estimate_files(files / "labels.csv", rows=tmp_path / "rows.csv", by="size", **options)
    assert of(found.found, "share", "1", "one").estimate is None
    assert of(found.found, "share", "1", "rest").estimate is not None


def test_bad_input_is_said_before_any_work(files: Path, place: Place) -> None:
    with pytest.raises(UsageError) as error:
        estimate_files(
            files / "labels.csv",
            text="text",
            columns=["persn"],
            truth=files / "gold.csv",
            rows=files / "rows.csv",
            by="siz",
            student="wordlama",
            place=place,
        )
    told = "\n".join(error.value.problems)
    for sentence in (
        "has no column 'siz' for the groups",
        "has no column 'persn' for label",
        'unknown student "wordlama"',
    ):
        assert sentence in told
    done = CliRunner().invoke(app, ["estimate", str(files / "labels.csv"), "--text", "text", "--label", "person"])
    assert done.exit_code != 0  # --truth is needed


def test_the_same_call_makes_nothing_again(files: Path, tmp_path: Path) -> None:
    """So a killed one goes on where it was: everything is in the store, the features of the counted rows too."""
    options = {"text": "text", "columns": ["person"], "truth": files / "gold.csv", "student": "wordllama"}
    first = estimate_files(files / "labels.csv", rows=files / "rows.csv", place=Place(tmp_path), **options)
    made = {path: path.stat().st_ino for path in tmp_path.glob("objects/*/*/*.npy")}
    assert estimate_files(files / "labels.csv", rows=files / "rows.csv", place=Place(tmp_path), **options) == first
    assert {path: path.stat().st_ino for path in tmp_path.glob("objects/*/*/*.npy")} == made
    assert sum(path.name == "features.npy" for path in made) == 2
