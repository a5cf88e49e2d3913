"""What is read from files of cheap and of careful labels."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from taught import evidence, make_files, read, write

from outgrow.core.errors import UsageError
from outgrow.experiment.spec.model_entries import model_spec
from outgrow.models.label_sources.aggregate import join, usual_rule
from outgrow.teaching.labels.dataset import read_dataset
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.sentences import sentences
from outgrow.teaching.teach_files import teach_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_files(tmp_path_factory.mktemp("files"))


def test_gold_leaves_the_training_set(files: Path) -> None:
    found = evidence(files)
    assert len(found.texts) == 880
    known = found.known
    assert len(known.careful) == 200
    assert len(known.taught) == 680
    assert not set(known.careful) & set(known.taught)
    assert (known.hard[known.careful] >= 0).sum() == 120
    assert (
        "120 of 200 texts of gold.csv are in labels.csv too: they show how often the cheap labels are right"
        in found.notes
    )


def test_labels_of_the_same_text_are_joined(tmp_path: Path) -> None:
    rows = [("a", "x"), ("b", "y"), ("a", "x"), ("a", "z"), ("c", ""), ("d", " ")]
    write(tmp_path / "labels.csv", ["text", "rule"], rows)
    found = evidence(tmp_path, truth=None)
    assert sorted(found.texts) == ["a", "b"]
    assert found.pool.classes == ("x", "y", "z")
    np.testing.assert_allclose(found.of("a", "b"), [[2 / 3, 0, 1 / 3], [0, 1, 0]], rtol=1e-6)
    assert found.known.taught.tolist() == [0, 1]
    assert found.notes == [
        "6 rows of labels.csv hold 4 distinct texts; labels of the same text are joined",
        "2 of 4 texts have no cheap label and are not used for training",
    ]


def test_several_columns_are_joined_better_than_any_majority(files: Path) -> None:
    found = evidence(files, ("rule", "model", "person"))
    known, truth = found.known, found.pool.labels
    both = known.careful[known.hard[known.careful] >= 0]
    joined = (known.hard[both] == truth[both]).mean()
    alone = [(evidence(files, (name,)).known.hard[both] == truth[both]).mean() for name in ("rule", "model", "person")]
    assert joined >= max(alone)
    assert [habits["right"] for habits in found.habits] == pytest.approx([0.7, 0.65, 0.9], abs=0.06)
    assert {habits["covers"] for habits in found.habits} == {1.0}


def test_a_template_and_a_truth_column_of_another_name(tmp_path: Path) -> None:
    rows = [(f"t{place}", "body", "ab"[place % 2]) for place in range(40)]
    write(tmp_path / "labels.csv", ["title", "body", "rule"], rows)
    write(tmp_path / "gold.csv", ["title", "body", "checked"], rows[:20])
    with pytest.raises(
        UsageError, match="which column holds the careful labels\\? Name it with --truth-label; there is"
    ):
        evidence(tmp_path, text="{title}: {body}")
    found = evidence(tmp_path, text="{title}: {body}", truth_label="checked")
    assert "t0: body" in found.texts
    assert len(found.known.careful) == 20


def test_gold_that_says_nothing_or_two_things(tmp_path: Path) -> None:
    write(tmp_path / "labels.csv", ["text", "rule"], [(f"t{place}", "ab"[place % 2]) for place in range(60)])
    rows = [(f"t{place}", "ab"[place % 2]) for place in range(30)] + [("t1", "a"), ("t40", ""), ("t2", "a")]
    write(tmp_path / "gold.csv", ["text", "label"], rows)
    found = evidence(tmp_path)
    assert len(found.known.careful) == 29
    assert "1 row of gold.csv without a label is left out" in found.notes
    assert "1 text of gold.csv with contradicting labels is left out; votes are kept with --truth-voter" in found.notes
    assert "t1" not in found.texts  # neither to be scored on, nor to learn from


def test_careful_texts_are_found_in_another_spelling(tmp_path: Path) -> None:
    """What a spreadsheet does to a file of careful labels does not put its texts into training."""
    rows = [(f"Caf\u00e9 number {place} is fine.", "ab"[place % 2]) for place in range(60)]
    write(tmp_path / "labels.csv", ["text", "rule"], [*rows, ("CAFE\u0301 number 3 is fine.", "a")])
    respelled = [(f"  cafe\u0301 NUMBER {place}  is fine.\r\n", label) for place, (_, label) in enumerate(rows[:30])]
    write(tmp_path / "gold.csv", ["text", "label"], [*respelled, ("caf\u00e9 number 4 is fine.", "b")])
    found = evidence(tmp_path)
    assert len(found.known.careful) == 29  # the fifth has two labels
    assert len(found.known.taught) == 30
    assert found.texts.count("Caf\u00e9 number 3 is fine.") == 1
    assert "CAFE\u0301 number 3 is fine." not in found.texts
    assert (
        "30 texts of gold.csv are in labels.csv in another spelling (case, white space, Unicode form): taken for the same"
    ) in found.notes
    assert "1 further spelling in labels.csv of texts of gold.csv is left out" in found.notes


@pytest.mark.slow
def test_gold_that_overlaps_nothing_measures_the_student_only(tmp_path: Path, files: Path) -> None:
    rows = read(files / "gold.csv")[120:]
    (tmp_path / "labels.csv").write_bytes((files / "labels.csv").read_bytes())
    write(tmp_path / "gold.csv", ["text", "label"], rows)
    report = teach_files(
        tmp_path / "labels.csv",
        text="text",
        columns=["rule"],
        out=tmp_path / "student",
        student="wordllama",
        truth=tmp_path / "gold.csv",
    )
    assert report.cheap_accuracy is None
    assert report.gain is None
    assert report.student_accuracy is not None
    assert any("so the accuracy of the cheap labels themselves is not known" in note for note in report.notes)
    assert "The accuracy of the cheap labels is not known" in sentences(report.plain())[0]


GOOD = [(f"t{place}", "ab"[place % 2]) for place in range(60)]


@pytest.mark.parametrize(
    ("labels", "gold", "sentence"),
    [
        (GOOD, [*GOOD[:30], ("t50", "c")], "label 'c' in line 32 is not one of the classes in .*; there is a, b"),
        ([(text, "a") for text, _ in GOOD], None, "column 'rule' says 'a' in every row; a student needs at least two"),
        ([(text, "") for text, _ in GOOD], None, "column 'rule' holds no label at all"),
        (GOOD, GOOD[:12], "12 texts with a careful label are too few to measure anything by; label 20 or more"),
        (GOOD, GOOD[:60:2], "column 'label' says 'a' in every row; careful labels of at least two classes"),
        (GOOD, GOOD, "every text with a cheap label is in .* too, so nothing is left to learn from"),
        (GOOD, GOOD[:59], "all 1 texts to learn from are of class 'b'; a student needs at least two classes"),
        ([*GOOD, ("", "a")], None, "the text is empty in line 62"),
    ],
)
def test_evidence_that_cannot_be_used(
    tmp_path: Path, labels: list[tuple[str, str]], gold: list[tuple[str, str]] | None, sentence: str
) -> None:
    write(tmp_path / "labels.csv", ["text", "rule"], labels)
    if gold is not None:
        write(tmp_path / "gold.csv", ["text", "label"], gold)
    with pytest.raises(UsageError, match=sentence) as caught:
        evidence(tmp_path, truth=tmp_path / "gold.csv" if gold is not None else None)
    assert len(caught.value.problems) == 1


def test_probabilities_are_taken_as_they_are(tmp_path: Path) -> None:
    rows = [("a", 0.25, 0.75), ("b", 1, 0), ("a", 0.75, 0.25), ("c", "", "")]
    write(tmp_path / "labels.csv", ["text", "p_no", "p_yes"], rows)
    for named in (["p_yes", "p_no"], {"yes": "p_yes", "no": "p_no"}):
        found = evidence(tmp_path, (), probabilities=named, truth=None)
        assert found.pool.classes == ("no", "yes")
        assert sorted(found.texts) == ["a", "b"]
        np.testing.assert_allclose(found.of("a", "b"), [[0.5, 0.5], [1, 0]])
    swapped = evidence(tmp_path, (), probabilities={"yes": "p_no", "no": "p_yes"}, truth=None)
    np.testing.assert_allclose(swapped.of("b"), [[0, 1]])


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("b", 0.5, 0.6), "labels.csv, line 3: has probabilities that do not sum to one but to 1.1"),
        (("b", "high", 0.6), "line 3: holds something other than numbers"),
        (("b", -0.5, 1.5), "line 3: has probabilities outside"),
    ],
)
def test_probabilities_that_are_none(tmp_path: Path, row: tuple[object, ...], sentence: str) -> None:
    write(tmp_path / "labels.csv", ["text", "p_no", "p_yes"], [("a", 0.5, 0.5), row])
    with pytest.raises(UsageError, match=sentence):
        evidence(tmp_path, (), probabilities=["p_no", "p_yes"], truth=None)


def test_classes_of_probabilities_are_spelled_as_everywhere(tmp_path: Path) -> None:
    write(tmp_path / "labels.csv", ["text", "p_True", "p_False", "0", "1"], [("a", 1, 0, 0.5, 0.5), ("b", 0, 1, 0, 1)])
    found = evidence(tmp_path, (), probabilities=["p_True", "p_False"], truth=None)
    assert found.pool.classes == ("false", "true")
    np.testing.assert_allclose(found.of("a", "b"), [[0, 1], [1, 0]])
    for named in ([0, 1], {0: 0, 1: 1}):  # as YAML reads them
        assert evidence(tmp_path, (), probabilities=named, truth=None).pool.classes == ("0", "1")
    with pytest.raises(UsageError, match="a class or a column is listed twice"):
        evidence(tmp_path, (), probabilities=["p_True", "p_True"], truth=None)


def test_no_probability_at_all_is_said(tmp_path: Path) -> None:
    write(tmp_path / "labels.csv", ["text", "p_no", "p_yes"], [("a", "", ""), ("b", "", "")])
    with pytest.raises(UsageError, match="no row has a label, so there is nothing to learn from"):
        evidence(tmp_path, (), probabilities=["p_no", "p_yes"], truth=None)


def test_two_columns_are_averaged_and_said_to_be(tmp_path: Path) -> None:
    rows = [("a", "x", "y"), ("b", "x", ""), ("c", "y", "y")]
    write(tmp_path / "labels.csv", ["text", "one", "two"], rows)
    found = evidence(tmp_path, ("one", "two"), truth=None)
    np.testing.assert_allclose(found.of("a", "b", "c"), [[0.5, 0.5], [1, 0], [0, 1]])
    assert found.habits == []
    assert any(note.startswith("fewer than three give labels") for note in found.notes)
    votes = [(text, who, label) for text, *said in rows for who, label in zip("pq", said, strict=True)]
    write(tmp_path / "labels.csv", ["text", "who", "label"], votes)
    again = evidence(tmp_path, ("label",), voter="who", truth=None)
    np.testing.assert_allclose(again.known.cheap, found.known.cheap)


def test_one_column_of_probabilities_is_one_too_few(tmp_path: Path) -> None:
    write(tmp_path / "labels.csv", ["text", "p_yes"], [("a", 0.5)])
    with pytest.raises(UsageError, match="--probabilities: a student needs at least two classes"):
        evidence(tmp_path, (), probabilities=["p_yes"], truth=None)


def test_votes_are_joined_as_their_columns_would_be(tmp_path: Path) -> None:
    """A crowd of one sort in both forms: every voter names both classes, so silence is chance in columns too."""
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 2, 300)
    errors = [0.1, 0.2, 0.3, 0.4]
    table: list[list[str]] = []
    votes: list[tuple[str, str, str]] = []
    for row, label in enumerate(truth.tolist()):
        said = [str(1 - label if generator.random() < error else label) for error in errors]
        said = [one if generator.random() < 0.6 else "" for one in said]
        table.append([f"t{row}", *said])
        votes += [(f"t{row}", f"v{place}", one) for place, one in enumerate(said)]
    generator.shuffle(votes)
    (tmp_path / "wide").mkdir()
    write(tmp_path / "wide" / "labels.csv", ["text", "a", "b", "c", "d"], table)
    write(tmp_path / "labels.csv", ["text", "who", "label"], votes)
    wide = evidence(tmp_path / "wide", ("a", "b", "c", "d"), truth=None)
    long = evidence(tmp_path, ("label",), voter="who", truth=None)
    np.testing.assert_allclose(long.of(*wide.texts), wide.known.cheap, atol=1e-6)
    report = teach_files(
        tmp_path / "labels.csv", text="text", columns=["label"], voter="who", out=tmp_path / "out", student="wordllama"
    )
    assert report.notes[0].startswith("4 voters gave ")
    assert "right on 6" in report.notes[0]  # the worst of them
    assert not any("v0" in note for note in report.notes)


def test_three_columns_are_joined_as_three_label_files_of_an_experiment_are(tmp_path: Path) -> None:
    """Rules that fire on some rows only, so that silence matters; and one that names both classes."""
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 2, 200)
    fires = generator.random((200, 3)) < np.where(truth[:, None] == [1, 0, 1], 0.5, 0.15)
    answers = np.where(fires, [1, 0, 1], -1)
    answers[:, 2] = np.where(generator.random(200) < 0.8, truth, 1 - truth)
    rows = [(f"t{row}", *("" if one < 0 else one for one in line)) for row, line in enumerate(answers.tolist())]
    write(tmp_path / "labels.csv", ["text", "a", "b", "c"], rows)
    found = evidence(tmp_path, ("a", "b", "c"), truth=None)

    files = [{"given": str(tmp_path / "labels.csv"), "label": name, "text": "text"} for name in "abc"]
    spec = model_spec(files, student=False)
    assert usual_rule(3, hard=all(one.able.hard for one in spec.beneath)) == "safest"
    labels = [np.eye(2)[column] * np.where(column >= 0, 1, np.nan)[:, None] for column in answers.T]
    place = {text: row for row, text in enumerate(found.texts)}
    order = np.array([place[f"t{row}"] for row in range(200)])
    joined = join(labels, found.pool.ids[order], np.arange(200), "safest").probabilities
    np.testing.assert_allclose(found.known.cheap[order], joined, atol=1e-6)


def test_a_vote_is_somebodys(tmp_path: Path) -> None:
    write(tmp_path / "labels.csv", ["text", "who", "label"], [("a", "x", "1"), ("b", "", "0"), ("c", "", "")])
    with pytest.raises(UsageError, match="column 'who' is blank in line 3: say whose label it is"):
        evidence(tmp_path, ("label",), voter="who", truth=None)


def test_a_label_that_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "labels.jsonl").write_text('{"text": "a", "rule": ["x"]}\n{"text": "b", "rule": "y"}\n')
    with pytest.raises(
        UsageError, match="holds something other than a word or a number in line 1; a label is one value"
    ):
        read_dataset(tmp_path / "labels.jsonl", reading=Reading.of("text"), form=Form.of(["rule"]))


def test_a_language_models_answers_as_they_come(tmp_path: Path) -> None:
    """`{text, logprobs: {class: log p}}` and `{text, label, confidence}` are the same cheap labels as two columns of them."""
    sure = [("a", 0.25), ("b", 0.9), ("c", 0.5)]
    write(tmp_path / "labels.csv", ["text", "p_no", "p_yes"], [(text, 1 - p, p) for text, p in sure])
    columns = evidence(tmp_path, (), probabilities=["p_no", "p_yes"], truth=None)

    def answers(name: str, rows: Sequence[dict[str, Any]]) -> Path:
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return tmp_path / name

    logs = [{"text": text, "logprobs": {"yes": math.log(p), "no": math.log(1 - p)}} for text, p in sure]
    form = Form.of(probabilities=["logprobs"])
    nested = read_dataset(answers("logs.jsonl", logs), reading=Reading.of("text"), form=form)
    assert Form.from_identity(form.identity()) == form
    np.testing.assert_allclose(nested.given.shares, columns.data.given.shares)
    labels = [{"text": text, "label": "yes" if p >= 0.5 else "no", "confidence": max(p, 1 - p)} for text, p in sure]
    form = Form.of(["label"], confidence="confidence")
    said = read_dataset(answers("said.jsonl", labels), reading=Reading.of("text"), form=form)
    assert Form.from_identity(form.identity()) == form
    np.testing.assert_allclose(said.given.shares, columns.data.given.shares)
    assert said.pool.classes == nested.pool.classes == ("no", "yes")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (Form.of(probabilities=["sure"]), "name a column for each, or one column of mappings"),
        (Form.of(probabilities=["nothing"]), "has no column 'nothing' for the probabilities"),
        (Form.of(["label"], confidence="nothing"), "has no column 'nothing' for the confidence"),
        (Form.of(["label", "sure"], confidence="sure"), "--confidence: says how sure one label is"),
        (Form.of(["label"], None, "who", "sure"), "--confidence: says how sure one label is"),
        (Form.of(probabilities=["one"]), "column 'one' says 'x' in every row; a student needs at least two classes"),
        (Form.of(probabilities=["many"]), "column 'many' holds 60 different labels in 60 rows"),
    ],
)
def test_answers_that_cannot_be_used(tmp_path: Path, form: Form, sentence: str) -> None:
    rows = [
        {"text": f"t{at}", "label": "xy"[at % 2], "who": "w", "sure": 0.5, "one": {"x": 0.5}, "many": {f"w{at}": 0.1}}
        for at in range(60)
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_dataset(tmp_path / "labels.jsonl", reading=Reading.of("text"), form=form)
    assert len(caught.value.problems) == 1
    assert sentence in caught.value.problems[0]
