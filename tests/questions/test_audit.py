"""`outgrow audit`: what it finds, what it refuses, and that a killed one goes on where it was."""

import csv
import signal
from pathlib import Path

import numpy as np
import pytest
from killed import dying, started
from sklearn.metrics import roc_auc_score
from taught import make_files, read, write
from typer.testing import CliRunner

from outgrow.cli.app import app
from outgrow.core.errors import UsageError
from outgrow.questions.audit import audit_files
from outgrow.questions.material import Place
from outgrow.tasks.sentiment import sentiment

pytestmark = pytest.mark.usefixtures("one_thread")
COLUMNS = ["rule", "model", "person"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("store"))


def truth() -> dict[str, str]:
    return dict(zip(sentiment().inputs, map(str, sentiment().labels), strict=True))


def test_it_finds_the_wrong_labels_of_every_source_and_the_command_writes_the_same(files: Path, place: Place) -> None:
    out = files / "audit.csv"
    given = [
        files / "labels.csv",
        "--text",
        "text",
        "--label",
        ",".join(COLUMNS),
        "--truth",
        files / "gold.csv",
        "-o",
        out,
    ]
    given += ["--student", "wordllama", "--store", str(place.store)]
    done = CliRunner().invoke(app, ["audit", *map(str, given)])
    assert done.exit_code == 0, done.output
    found = audit_files(
        files / "labels.csv", text="text", columns=COLUMNS, student="wordllama", truth=files / "gold.csv", place=place
    )
    assert len(found.labels) == 3 * 800 + 200
    wrong = [one.wrong for one in found.labels]
    assert wrong == sorted(wrong, reverse=True)
    right = truth()
    aurocs = {
        name: roc_auc_score([one.label != right[one.text] for one in mine], [one.wrong for one in mine])
        for name in COLUMNS
        if (mine := [one for one in found.labels if one.source == name])
    }
    assert min(aurocs.values()) > 0.85, aurocs
    counts = {one.source: one.doubted / one.labels for one in found.sources}
    assert counts["careful"] < counts["person"] < counts["rule"]
    rows = read(out)
    assert [row[:3] for row in rows] == [[one.text, one.source, one.label] for one in found.labels]
    assert [float(row[4]) for row in rows] == pytest.approx(wrong, abs=1e-6)
    given_rows = read(files / "labels.csv")
    for row in rows[:50]:
        if row[1] != "careful":
            line = given_rows[int(row[5]) - 1]
            assert (line[0], line[1 + COLUMNS.index(row[1])]) == (row[0], row[2])
    assert "800 labels, of which another class is likelier than" in done.output
    assert "2,600 labels in " in done.output


def test_a_careful_label_that_is_wrong_comes_first_among_these(tmp_path: Path, files: Path, place: Place) -> None:
    gold = read(files / "gold.csv")
    flipped = {row[0] for row in gold[:100:12]}
    write(
        tmp_path / "gold.csv",
        ["text", "label"],
        [(text, str(1 - int(label)) if text in flipped else label) for text, label in gold],
    )
    found = audit_files(
        files / "labels.csv",
        text="text",
        columns=COLUMNS,
        student="wordllama",
        truth=tmp_path / "gold.csv",
        place=place,
    )
    careful = [one for one in found.labels if one.source == "careful"]
    assert sum(one.text in flipped for one in careful[: 2 * len(flipped)]) >= 0.7 * len(flipped)


def small(folder: Path) -> Path:
    """60 texts, each class 30 times, and what is odd."""
    known = list(truth().items())
    rows = [*([t for t in known if t[1] == "0"][:60]), *([t for t in known if t[1] == "1"][:60])]
    names = {"0": "negative", "1": "positive"}
    rows = [(text, names[label]) for text, label in rows]
    rows[0] = (rows[0][0], "negatve")
    rows[1] = (rows[1][0], "ABSTAIN")
    rows.append((rows[5][0], "positive"))
    rows.append((rows[6][0].rstrip(".") + " .", "positive"))
    return write(folder / "labels.csv", ["text", "label"], rows)


def test_answers_off_the_list_abstaining_and_contradicting(tmp_path: Path, place: Place) -> None:
    found = audit_files(small(tmp_path), text="text", columns=["label"], student="wordllama", place=place)
    stray = [(one.label, one.suggested, one.row, one.findings[0]) for one in found.labels if one.wrong is None]
    assert stray == [
        ("negatve", "negative", 1, "is rare, and nearly spelt like 'negative'"),
        ("ABSTAIN", None, 2, "abstains"),
    ]
    assert found.notes[0] == "2 answers that name no class: listed first, and nobody learns from them"
    told = {(one.label, one.row): one.findings for one in found.labels if one.findings}
    assert "the same text is labelled 'positive' in another row" in told["negative", 6]
    assert "the same text is labelled 'negative' in another row" in told["positive", 121]
    assert any("nearly the same text is labelled 'positive'" in one for one in told["negative", 7])


def test_a_list_of_classes(tmp_path: Path, place: Place) -> None:
    file = small(tmp_path)
    found = audit_files(
        file, text="text", columns=["label"], classes=["negative", "positive"], student="wordllama", place=place
    )
    stray = [(one.label, one.suggested, one.findings[0]) for one in found.labels if one.wrong is None]
    assert stray == [("negatve", "negative", "is not on the list of classes"), ("ABSTAIN", None, "abstains")]


def test_probabilities_and_votes(tmp_path: Path, place: Place) -> None:
    known = list(truth().items())[:120]
    random = np.random.default_rng(0)
    soft = [(text, *(f"{p:.2f}" for p in ((0.9, 0.1) if label == "0" else (0.2, 0.8)))) for text, label in known]
    write(tmp_path / "soft.csv", ["text", "p_0", "p_1"], soft)
    found = audit_files(
        tmp_path / "soft.csv", text="text", probabilities=["p_0", "p_1"], student="wordllama", place=place
    )
    assert {one.source for one in found.labels} == {"probabilities"}
    assert len(found.labels) == 120
    votes = [
        (text, who, label if random.random() < right else str(1 - int(label)))
        for text, label in known
        for who, right in (("=ann", 0.95), ("bob", 0.7), ("cy", 0.7))
    ]
    write(tmp_path / "votes.csv", ["text", "who", "label"], votes)
    found = audit_files(
        tmp_path / "votes.csv",
        text="text",
        columns=["label"],
        voter="who",
        student="wordllama",
        place=place,
        out=tmp_path / "out.csv",
    )
    assert [one.source for one in found.sources] == ["=ann", "bob", "cy"]
    assert found.sources[0].doubted < min(one.doubted for one in found.sources[1:])
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        assert {row["source"] for row in csv.DictReader(file)} == {"'=ann", "bob", "cy"}  # no formula


@pytest.mark.parametrize(
    ("options", "sentences"),
    [
        ({"columns": ["lable"]}, ["has no column 'lable' for label; did you mean \"label\"?"]),
        ({"columns": ["label"], "text": "txt"}, ["has no column 'txt'"]),
        ({"columns": ["label"], "student": "mini"}, ['unknown student "mini"']),
        ({"columns": ["label"], "student": {"finetune": "minilm"}}, ["is not a head on frozen features"]),
        ({"columns": ["label"], "out": "audit"}, ["audit: this kind of file is not known; there is .csv"]),
        ({"columns": ["label"], "truth": "none.csv"}, ["none.csv: there is no such file"]),
        ({}, ["--label: name the column"]),
    ],
)
def test_bad_input(tmp_path: Path, place: Place, options: dict[str, object], sentences: list[str]) -> None:
    file = small(tmp_path)
    with pytest.raises(UsageError) as error:
        audit_files(file, **{"text": "text", "student": "wordllama", "place": place, **options})
    for sentence in sentences:
        assert any(sentence in one for one in error.value.problems), error.value.problems
    assert not any("outgrow-audit-" in one for one in error.value.problems)  # the file's own name


@pytest.mark.slow
def test_a_killed_audit_goes_on_where_it_was(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    command = ["audit", files / "labels.csv", "--text", "text", "--label", "rule"]
    command += ["--student", "wordllama", "--device", "cpu", "--jobs", 1, "--threads", 1, "--store"]

    def run(where: str, **environment: str) -> int:
        process = started([*command, tmp_path / where, "-o", tmp_path / f"{where}.csv"], **environment)
        process.communicate(timeout=300)
        return process.returncode

    assert run("killed", **dying(DIES_AT="head", DIES_AFTER="head")) == -signal.SIGKILL
    assert not (tmp_path / "killed.csv").exists()
    heads = {path.parent.name: path.stat().st_ino for path in tmp_path.glob("killed/objects/*/*/head.safetensors")}
    assert 0 < len(heads) < 5
    assert run("killed") == run("whole") == 0
    after = {path.parent.name: path.stat().st_ino for path in tmp_path.glob("killed/objects/*/*/head.safetensors")}
    assert heads.items() <= after.items()
    assert len(after) == 5
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
