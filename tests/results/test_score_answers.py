"""What odd answers and repeated models change in `outgrow score`: nothing but what they must, and a note says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from folders import held_out
from score_files import N, files, rows, table

from outgrow.results.external.score import score_accuracies, score_predictions


def test_answers_off_the_list_are_wrong_and_change_nothing_else(tmp_path: Path) -> None:
    """An answer that is no class is a mistake; what independent errors would copy is still over the truth's classes."""
    student = rows("student")
    wrong = {str(row): 1 - int(truth) for row, truth in enumerate(held_out("a", N).truth)}
    unsure = [
        {**row, "label": "unsure"} if row["label"] == wrong[row["id"]] and row["seed"] == 1 else row for row in student
    ]
    plain = score_predictions(**files(tmp_path))
    (tmp_path / "odd").mkdir()
    odd = score_predictions(**files(tmp_path / "odd", student=unsure))
    for key in ("student_accuracy", "gain", "pgr"):
        assert odd.cells[0][key] == plain.cells[0][key]
    copied = [found.cells[0]["agreement"]["copied_if_independent"]["estimate"] for found in (plain, odd)]
    assert copied[0] == pytest.approx(copied[1])
    count = sum(row["label"] == "unsure" for row in unsure)
    assert any(note.startswith(f"{count} answers in ") and "such as 'unsure', are none" in note for note in odd.notes)
    assert not any("unsure" in note for note in plain.notes)


def test_one_model_for_all_seeds_is_noted(tmp_path: Path) -> None:
    first = [row for row in rows("ceiling") if row["seed"] == 0]
    ceiling = [{**row, "seed": seed} for seed in range(3) for row in first]
    for made in (ceiling, [{key: value for key, value in row.items() if key != "seed"} for row in first]):
        found = score_predictions(**files(tmp_path, ceiling=made))
        assert [note for note in found.notes if "for all 3 seeds" in note] == [
            "the ceiling has the same predictions for all 3 seeds: nothing is known of how much another training would differ"
        ]
    assert not [note for note in score_predictions(**files(tmp_path)).notes if "for all" in note]
    lines = [{"seed": seed, "weak": 0.6 + seed / 100, "student": 0.7 + seed / 50, "ceiling": 0.9} for seed in range(4)]
    (note,) = [note for note in score_accuracies(table(tmp_path / "t.csv", lines)).notes if "all 4 seeds" in note]
    assert note.startswith(f"{tmp_path / 't.csv'}: ceiling has one accuracy")
