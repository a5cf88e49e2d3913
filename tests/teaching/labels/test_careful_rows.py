"""Careful labels of several files, of rows that were chosen and not drawn, and of annotators who differ."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from taught import evidence, make_files, read, write

from outgrow.core.errors import UsageError
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.store import Store
from outgrow.teaching.labels.dataset import Dataset, truth_in
from outgrow.teaching.labels.label_form import Form
from outgrow.teaching.labels.reading import Reading
from outgrow.teaching.options import learning
from outgrow.teaching.sentences import sentences
from outgrow.teaching.steps import dataset_step
from outgrow.teaching.teach import Laboratory, teach
from outgrow.teaching.teach_files import teach_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """make_files', with part of the cheap texts in chosen.csv with their truth, one of them in gold.csv too."""
    folder = make_files(tmp_path_factory.mktemp("files"))
    gold = read(folder / "gold.csv")
    write(folder / "gold.csv", ["text", "label"], gold[40:])
    write(folder / "chosen.csv", ["text", "label", "careful_label"], [(text, "", y) for text, y in gold[:41]])
    write(folder / "first.csv", ["text", "label"], gold[40:100])
    write(folder / "second.csv", ["text", "label"], gold[100:])
    return folder


def small(folder: Path, header: list[str], rows: list[tuple[object, ...]]) -> None:
    write(folder / "labels.csv", ["text", "rule"], [(f"t{place}", "ab"[place % 2]) for place in range(60)])
    write(folder / "gold.csv", header, rows)


def test_chosen_rows_are_learned_and_never_scored(files: Path) -> None:
    found = evidence(files, learn=[files / "chosen.csv"])
    assert len(found.known.careful) == 160
    assert len(found.known.chosen) == 40
    assert set(found.known.chosen) <= set(found.known.taught)
    assert not set(found.known.careful) & set(found.known.taught)
    truth = {text: float(label) for text, _, label in read(files / "chosen.csv")}
    places = np.searchsorted(found.known.taught, found.known.chosen)
    learned = found.known.targets(found.known.careful[:0])[places]
    assert [truth[found.texts[row]] for row in found.known.chosen] == learned[:, 1].tolist()
    assert "40 careful labels of --learn are learned from and not measured by" in found.notes
    assert any(note.startswith("1 text of --learn is in gold.csv too") for note in found.notes)


@pytest.mark.slow
def test_every_lesson_has_the_chosen_rows_and_none_is_scored(files: Path, tmp_path: Path) -> None:
    sources: dict[str, Any] = {}
    pool = dataset_step(
        files / "labels.csv", Reading.of("text"), Form.of(["rule"]), files / "gold.csv", "label", sources,
        learn=[files / "chosen.csv"],
    )  # fmt: skip
    choices = learning("wordllama", "naive", careful=True)
    laboratory = Laboratory(Store(tmp_path), Machine(), {**sources, **choices[0].learner.sources}, Silent())
    taught = teach(pool, [choices[1]], laboratory)
    assert (taught.report.careful, taught.report.chosen, taught.report.taught) == (160, 40, 680)
    data = Dataset.load(laboratory.opened(pool))
    chosen = taught.evidence.chosen
    np.testing.assert_array_equal(truth_in(laboratory.opened(pool), data.pool), data.truth)
    lessons = [folder for folder in tmp_path.rglob("transfer.npy") if (folder.parent / "probabilities.npy").is_file()]
    assert lessons
    for lesson in lessons:
        assert set(chosen) <= set(np.load(lesson).tolist())
        assert not set(chosen) & set(np.load(lesson.parent / "validation.npy").tolist())
        np.testing.assert_array_equal(np.load(lesson.parent / "probabilities.npy")[chosen], data.truth[chosen])
    said = " ".join(sentences(taught.report.plain()))
    assert "of all 160." in said
    assert "Your 680 cheap labels with 40 chosen careful ones are worth" in said


def test_several_files_are_one(files: Path) -> None:
    whole = evidence(files)
    parts = evidence(files, truth=[files / "first.csv", files / "second.csv"])
    np.testing.assert_array_equal(parts.pool.labels, whole.pool.labels)
    assert parts.pool.ids.tolist() == whole.pool.ids.tolist()


def test_keys_of_one_file_stay(files: Path) -> None:
    def key(truth: Any, **more: Any) -> str:
        form = Form.of(["rule"])
        return dataset_step(files / "labels.csv", Reading.of("text"), form, truth, None, {}, **more).key

    one = key(files / "first.csv")
    assert key([files / "first.csv"]) == one
    others = [key([files / "first.csv", files / "second.csv"]), key(files / "first.csv", learn=[files / "second.csv"])]
    others.append(key(files / "first.csv", truth_voters=["who"]))
    assert len({one, *others}) == 4


@pytest.mark.parametrize("form", ["columns", "rows"])
def test_a_dissent_is_soft_truth_and_its_majority_measures(tmp_path: Path, form: str) -> None:
    """t0: 2 of 3 say a; t1: all say b; t2: one of each; t3: one voter alone."""
    votes = {"t0": "aab", "t1": "bbb", "t2": "ab ", "t3": "b  "} | {f"t{place}": "aaa" for place in range(4, 24)}
    if form == "columns":
        small(tmp_path, ["text", "p", "q", "r"], [(text, *three) for text, three in votes.items()])
        voters = ["p", "q", "r"]
    else:
        rows = [(text, who, said) for text, three in votes.items() for who, said in zip("pqr", three, strict=True)]
        again = [("t1", "p", "b"), ("t0", "s", "a"), ("t0", "s", "b")]  # a repeat; and one who contradicts himself
        small(tmp_path, ["text", "who", "label"], [*rows, *again])
        voters = ["who"]
    found = evidence(tmp_path, truth_voters=voters)
    assert len(found.known.careful) == 24
    at = {text: found.texts.index(text) for text in votes}
    np.testing.assert_allclose(found.data.truth[at["t0"]], [2 / 3, 1 / 3])
    np.testing.assert_allclose(
        found.data.truth[[at[text] for text in ("t1", "t2", "t3")]], [[0, 1], [0.5, 0.5], [0, 1]]
    )
    assert [found.pool.labels[at[text]] for text in ("t0", "t1", "t3")] == [0, 1, 1]
    assert found.pool.labels[at["t2"]] in (0, 1)
    note = "annotators of gold.csv differ on 2 of 24 texts: the shares of their votes are learned, and their majority"
    assert any(one.startswith(note) and "1 with a tie" in one for one in found.notes)
    np.testing.assert_allclose(found.known.targets(np.array([at["t0"]]))[-1], [2 / 3, 1 / 3])
    # With files of further texts beside it, each row still has its own text and label.
    write(tmp_path / "new.csv", ["text", "label"], [("new", "b"), ("t50", "a")])
    more = evidence(tmp_path, truth_voters=voters, learn=[tmp_path / "new.csv"])
    assert set(more.texts) == {*found.texts, "new"}
    np.testing.assert_allclose(
        more.data.truth[[more.texts.index(text) for text in ("new", "t50", "t1")]], [[0, 1], [1, 0], [0, 1]]
    )


def test_bad_careful_files_are_sentences(files: Path, tmp_path: Path) -> None:
    small(tmp_path, ["text", "who", "label"], [(f"t{place}", "" if place == 3 else "p", "a") for place in range(30)])
    with pytest.raises(UsageError, match="column 'who' is blank in line 5: say whose label it is"):
        evidence(tmp_path, truth_voters=["who"])
    with pytest.raises(UsageError, match="has no column 'nobody' for the annotator"):
        evidence(tmp_path, truth_voters=["nobody"])
    with pytest.raises(UsageError, match="has no column 'nobody' for an annotator"):
        evidence(tmp_path, truth_voters=["who", "nobody"])
    write(tmp_path / "extra.csv", ["text", "label"], [("x", "a"), ("y", "c")])
    with pytest.raises(UsageError, match=r"extra\.csv: label 'c' in line 3 is not one of the classes"):
        evidence(tmp_path, truth=None, learn=[tmp_path / "extra.csv"])
    write(tmp_path / "extra.csv", ["text", "label", "careful_label"], [("x", "a", ""), ("y", "b", " ")])
    with pytest.raises(UsageError, match=r"extra\.csv: column 'careful_label' holds no label to learn from by --learn"):
        evidence(tmp_path, truth=None, learn=[tmp_path / "extra.csv"])
    whole = {"text": "text", "columns": ["rule"], "out": tmp_path / "student", "student": "wordllama"}
    with pytest.raises(UsageError) as caught:
        teach_files(
            tmp_path / "labels.csv", **whole, truth_voters=["p", "p"], truth_label="q", learn=[tmp_path / "none.csv"]
        )
    assert [one.partition(":")[0] for one in caught.value.problems[:3]] == ["--truth-voter"] * 3
    assert any("none.csv: there is no such file" in one for one in caught.value.problems)
