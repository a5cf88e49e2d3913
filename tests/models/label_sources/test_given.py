"""Somebody's labels: how they find their examples, what several of them mean, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.core.errors import UsageError
from outgrow.core.pool import Pool
from outgrow.models.label_sources.label_file import GivenLabels, read_given
from outgrow.models.label_sources.options import Given
from outgrow.tasks.files import file_task
from outgrow.tasks.pool import build_pool

TEXTS = [f"text {number}" for number in range(20)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pool of 18 training rows and 2 test rows; "text 0" stands in two source rows with ids 0 and 20."""
    rows = [{"text": text, "label": "pos" if number % 2 else "neg", "id": number} for number, text in enumerate(TEXTS)]
    rows.append({**rows[0], "id": 20})
    main = tmp_path / "main.jsonl"
    main.write_text("\n".join(json.dumps(row) for row in rows))
    return pooled(main, tmp_path / "pool", test_rows=2)


def pooled(main: Path, folder: Path, test_rows: int, **more: Any) -> Path:
    folder.mkdir()
    options = {"text": "text", "label": "label", **more}
    build_pool(file_task(main, **options), test_rows=test_rows, balance=True).save(folder)
    return folder


def read(folder: Path, content: str | list[dict[str, Any]], name: str = "crowd.jsonl", **options: Any) -> GivenLabels:
    path = folder.parent / name
    path.write_text(content if isinstance(content, str) else "\n".join(json.dumps(row) for row in content))
    return read_given(path, folder, **options)


def refused(folder: Path, content: str | list[dict[str, Any]], **options: Any) -> tuple[str, ...]:
    with pytest.raises(UsageError) as error:
        read(folder, content, **options)
    return tuple(text.replace(f"{folder.parent}/", "") for text in error.value.problems)


def by_text(folder: Path, labels: GivenLabels) -> dict[str, list[float]]:
    pool = Pool.load(folder)
    assert labels.probabilities.shape == (len(pool), len(pool.classes))
    assert labels.probabilities.dtype == np.float32
    rows = zip(pool.inputs, labels.probabilities.tolist(), strict=True)
    return {text: row for text, row in rows if not np.isnan(row).any()}


def test_labels_by_text_are_one_hot_and_the_rest_is_nan(folder: Path) -> None:
    labels = read(folder, "text,label\ntext 3,neg\ntext 4,pos\n", name="crowd.csv")
    assert by_text(folder, labels) == {"text 3": [1, 0], "text 4": [0, 1]}
    assert int(np.isnan(labels.probabilities).all(axis=1).sum()) == 18


def test_several_rows_for_one_example_are_votes(folder: Path) -> None:
    votes = [{"text": "text 3", "label": label, "annotator": n} for n, label in enumerate(["pos", "pos", "neg", None])]
    labels = read(folder, [*votes, {"text": "text 4", "label": "neg"}, {"text": "else", "label": "neg"}])
    assert by_text(folder, labels) == {"text 3": pytest.approx([1 / 3, 2 / 3]), "text 4": [1, 0]}
    assert labels.notes[1:] == (
        "4 given labels for 2 examples were averaged as votes",
        "1 given row blank, and counted as not given",
        "1 given row without an example in the task",
    )
    assert {key: labels.counts[key] for key in ("votes", "blank", "unmatched", "left_out")} == {
        "votes": 4,
        "blank": 1,
        "unmatched": 1,
        "left_out": 0,
    }


def test_coverage_is_counted_in_training_and_test(folder: Path) -> None:
    pool = Pool.load(folder)
    tested = [text for text, test in zip(pool.inputs, pool.test, strict=True) if test]
    trained = [text for text, test in zip(pool.inputs, pool.test, strict=True) if not test]
    labels = read(folder, [{"text": text, "label": "pos"} for text in [*trained[:5], tested[0]]])
    assert labels.notes == ("labels cover 5 of 18 training rows and 1 of 2 test rows",)
    assert (labels.counts["train"], labels.counts["test"]) == (5, 1)


def test_by_an_id_column_numbers_and_texts_agree(folder: Path) -> None:
    labels = read(folder, "id,label\n3,neg\n4.0,pos\n0,neg\n20,pos\n77,pos\n", name="crowd.csv", on="id")
    # Rows 0 and 20 are one example: their labels are two votes.
    assert by_text(folder, labels) == {"text 3": [1, 0], "text 4": [0, 1], "text 0": [0.5, 0.5]}
    assert labels.counts["unmatched"] == 1


def test_row_by_row(folder: Path, tmp_path: Path) -> None:
    labels = read(folder, [{"label": "pos" if number < 3 else None} for number in range(21)], on="row")
    assert by_text(folder, labels) == {"text 0": [0, 1], "text 1": [0, 1], "text 2": [0, 1]}
    assert refused(folder, [{"label": "pos"}] * 5, on="row") == (
        "crowd.jsonl: has 5 rows and the task 21; row by row they must be as many: "
        "name an id column of both files with `on`",
    )
    held_out = tmp_path / "test.csv"
    held_out.write_text("text,label\nx,pos\ny,neg\n")
    official = pooled(tmp_path / "main.jsonl", tmp_path / "official", test_rows=2, test=held_out)
    assert by_text(official, read(official, [{"label": "pos"}] * 21, on="row")).keys() == set(TEXTS)
    assert by_text(official, read(official, [{"label": "pos"}] * 23, on="row")).keys() == {*TEXTS, "x", "y"}
    assert refused(official, [{"label": "pos"}] * 22, on="row")[0].startswith(
        "crowd.jsonl: has 22 rows and the task 21, or 23 with the test file;"
    )


@pytest.mark.parametrize(
    ("header", "options"),
    [
        ("text,p_pos,p_neg", {}),
        ("text,pos,neg", {}),
        ("text,p_pos,p_neg", {"probabilities": ["p_pos", "p_neg"]}),  # named after the classes: in any order
        ("text,b,a", {"probabilities": ["a", "b"]}),  # else in the order of the classes: neg, pos
        ("text,up,down", {"probabilities": {"pos": "up", "neg": "down"}}),
    ],
)
def test_probability_columns(folder: Path, header: str, options: Any) -> None:
    labels = read(folder, f"{header}\ntext 3,0.9,0.1\ntext 4,0.2505,0.75\ntext 5,,\n", name="crowd.csv", **options)
    assert by_text(folder, labels) == {
        "text 3": pytest.approx([0.1, 0.9]),
        "text 4": pytest.approx([0.75 / 1.0005, 0.2505 / 1.0005]),
    }
    assert labels.counts["blank"] == 1


def test_a_label_column_under_another_name_beside_probabilities(folder: Path) -> None:
    content = "text,label,vote,pos,neg\ntext 3,neg,pos,0,1\n"
    assert by_text(folder, read(folder, content, name="c.csv", label="vote")) == {"text 3": [0, 1]}
    assert by_text(folder, read(folder, content, name="c.csv", label="label")) == {"text 3": [1, 0]}
    assert refused(folder, content, name="c.csv") == (
        "c.csv: has both a column 'label' and probability columns; say which: "
        "label: label, or probabilities: [neg, pos]",
    )


def test_the_text_may_be_a_template_and_another_column(folder: Path) -> None:
    labels = read(folder, [{"word": "text", "n": 3, "label": "pos"}], text="{word} {n}")
    assert by_text(folder, labels) == {"text 3": [0, 1]}


def test_rows_of_examples_that_left_the_pool_are_told_apart(tmp_path: Path) -> None:
    main = tmp_path / "main.csv"
    main.write_text("text,label\n" + "".join(f"t{n},{int(n >= 20)}\n" for n in range(30)))
    folder = pooled(main, tmp_path / "pool", test_rows=2)
    labels = read(folder, [{"text": f"t{n}", "label": 1.0} for n in range(31)])
    assert labels.counts["left_out"] == 10
    assert labels.notes[1:] == (
        "10 given rows of examples that are not in the pool (duplicates, balance, split)",
        "1 given row without an example in the task",
    )
    assert not np.isnan(labels.probabilities).any()


P = "text,p_pos,p_neg\n"


@pytest.mark.parametrize(
    ("content", "options", "sentences"),
    [
        (
            "text,label\nTEXT 3,pos\n",
            {},
            [
                "c.csv: none of its 1 texts is one of the task's; they must agree to the letter, "
                "else name an id column of both files with `on`, or go row by row with `on: row`"
            ],
        ),
        (
            "id,label\nid-3,pos\n",
            {"on": "id"},
            [
                "c.csv: none of its 1 rows matches an example of the task by 'id': "
                "here it is 'id-3', in the task's file '0'"
            ],
        ),
        (P + "text 3,0.9,0.2\n", {}, ["c.csv, line 2: has probabilities that do not sum to one but to 1.1"]),
        (P + "text 3,0.9,0.1\ntext 4,1.5,-0.5\n", {}, ["c.csv, line 3: has probabilities outside [0, 1]"]),
        (P + "text 3,0.9,\n", {}, ["c.csv, line 2: has probabilities for some of the classes only"]),
        (P + "text 3,high,0.1\n", {}, ["c.csv, line 2: holds something other than numbers"]),
        (
            P + "text 1,0.9,0.2\ntext 2,3,1\ntext 3,inf,-inf\ntext 4,0,0\n",
            {},
            [
                "c.csv, lines 3 and 4: has probabilities outside [0, 1]",
                "c.csv, lines 2 and 5: has probabilities that do not sum to one",
            ],
        ),
        (
            "text,label\ntext 1,poss\ntext 2,neg\ntext 3,poss\ntext 4,7\n",
            {},
            [
                "c.csv: label 'poss' in lines 2 and 4 is not one of the classes; did you mean \"pos\"?; "
                "correct it, or leave it blank where there is none",
                "c.csv: label '7' in line 5 is not one of the classes; there is neg, pos; "
                "correct it, or leave it blank where there is none",
            ],
        ),
        (
            "text,lable\ntext 1,pos\n",
            {},
            [
                "c.csv: has neither a column 'label' nor probability columns (p_neg, p_pos); name the one with `label` "
                'or the others with `probabilities`; did you mean "lable"?'
            ],
        ),
        (
            "text,label\ntext 1,pos\n",
            {"label": "vote"},
            ["c.csv: has no column 'vote' for the given label; there is label, text"],
        ),
        (
            "id,label\n1,pos\n",
            {},
            [
                "c.csv: has no column 'text' to find each text by; there is id, label; name it with `text`, "
                "or name an id column of both files with `on`, or go row by row with `on: row`"
            ],
        ),
        (
            "key,label\n1,pos\n",
            {"on": "id"},
            ["c.csv: has no column 'id' for `on`; there is key, label"],
        ),
        (
            "key,label\n1,pos\n",
            {"on": "key"},
            ["on: the task's own file has no column 'key'; there is id, label, text"],
        ),
        (
            "id,label\n1,pos\n,neg\n",
            {"on": "id"},
            ["c.csv: column 'id' holds no id in line 3; fill it in or leave the rows out"],
        ),
        (
            "text,label\ntext 1,pos\n",
            {"on": "label"},
            [
                "on: column 'label' does not tell the task's examples apart: 'neg' stands at 10 different ones; "
                "name a column whose values name one example each"
            ],
        ),
        (
            "text,label\ntext 1,\nelse,pos\n",
            {},
            ["c.csv: no row that belongs to an example of the task has a label"],
        ),
        (
            P + "text 1,1,0\n",
            {"label": "p_pos", "probabilities": ["p_pos", "p_neg"]},
            ["c.csv: `label` and `probabilities` exclude each other; take one away"],
        ),
        (
            P + "text 1,1,0\n",
            {"probabilities": ["p_pos"]},
            ["probabilities: 1 columns for 2 classes; name one a class, in this order: neg, pos"],
        ),
        (
            P + "text 1,1,0\n",
            {"probabilities": ["p_pos", "p_pos"]},
            ["probabilities: a column is named twice; name one a class"],
        ),
        (
            P + "text 1,1,0\n",
            {"probabilities": {"pos": "p_pos", "negative": "p_neg"}},
            [
                "probabilities: 'negative' is not one of the classes; there is neg, pos",
                "probabilities: class 'neg' has no column; name one",
            ],
        ),
        (
            P + "text 1,1,0\n",
            {"probabilities": {"pos": "p_pos", "neg": "p_nge"}},
            ["c.csv: has no column 'p_nge' for the given probabilities; did you mean \"p_neg\"?"],
        ),
        (
            "text,label\n,poss\n",
            {},
            [
                "c.csv: the text is empty in line 2; fill it in or leave the rows out",
                "c.csv: label 'poss' in line 2 is not one of the classes; did you mean \"pos\"?; "
                "correct it, or leave it blank where there is none",
            ],
        ),
    ],
)
def test_what_is_refused(folder: Path, content: str, options: Any, sentences: list[str]) -> None:
    tail = "; correct or leave out (columns p_neg, p_pos)"
    expected = tuple(f"{text}{tail}" if text.startswith("c.csv, line") else text for text in sentences)
    assert refused(folder, content, name="c.csv", **options) == expected


def test_lists_are_no_label_and_a_missing_file_is_said(folder: Path) -> None:
    assert refused(folder, [{"text": "text 1", "label": ["pos", "neg"]}]) == (
        "crowd.jsonl: column 'label' holds no single label in line 1; one row a vote",
    )
    with pytest.raises(UsageError, match=r"nowhere\.csv: there is no such file"):
        read_given(folder / "nowhere.csv", folder)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=40))
def test_votes_are_their_shares(tmp_path_factory: pytest.TempPathFactory, votes: list[tuple[int, int]]) -> None:
    base = tmp_path_factory.mktemp("votes")
    main = base / "main.csv"
    main.write_text("text,label\n" + "".join(f"t{n},{n % 3}\n" for n in range(6)))
    folder = pooled(main, base / "pool", test_rows=1)
    found = by_text(folder, read(folder, [{"text": f"t{n}", "label": label} for n, label in votes]))
    for n in range(4):
        cast = [label for row, label in votes if row == n]
        expected = [cast.count(label) / len(cast) for label in range(3)] if cast else None
        assert found.get(f"t{n}") == (pytest.approx(expected) if expected else None)


def test_options_as_an_experiment_writes_them() -> None:
    options = Given(checkpoint="crowd.csv", probabilities={0: "p_neg", True: "p_pos"}, on="id")  # type: ignore[call-arg]
    assert options.model_dump() == {
        "file": "crowd.csv",
        "label": None,
        "probabilities": {"0": "p_neg", "true": "p_pos"},
        "on": "id",
        "text": None,
    }
    assert Given(file="c.csv", probabilities=[0, 1]).probabilities == ["0", "1"]
