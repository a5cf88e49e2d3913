"""Equivalent labels and supervision, and controls, of predictions whose accuracies are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import guesses, held_out

from outgrow import Results
from outgrow.report.words.sentences import controls, equivalents
from outgrow.results.cells import NO_LESSON, Entry, RunToScore
from outgrow.results.diagnostics.no_supervisor import UNTRAINED
from outgrow.results.predictions import HeldOut, ModelKey, Predictions

SEEDS = (0, 1, 2)
CURVE = {25: 0.6, 50: 0.66, 100: 0.72, 200: 0.78}


def said(test: HeldOut, accuracy: float, key: int, seed: int) -> Any:
    return guesses(test, accuracy, [key, seed])


def results(
    student: float = 0.75,
    ceilings: dict[str, float] | None = None,
    curve: dict[int, float] | None = None,
    others: dict[str, float] | None = None,
    classes: int = 2,
    untaught: dict[str, float] | None = None,
    unpretrained: dict[str, float] | None = None,
    tuned: dict[int, float] | None = None,
) -> Results:
    """One task, supervisor `w` at .55, a student of each ceiling's name, `others` by role, students that never learn."""
    test = held_out("t", 400, classes)
    predicted: dict[ModelKey, Any] = {}
    asked = []
    for seed in SEEDS:
        weak = ModelKey("t", "weak", "w", None, None, seed)
        predicted[weak] = said(test, 0.55, 0, seed)
        for place, (strong, accuracy) in enumerate((ceilings or {"s": 0.84}).items()):
            ceiling = ModelKey("t", "ceiling", None, strong, None, seed)
            learned = ModelKey("t", "student", "w", strong, "naive", seed)
            predicted[ceiling] = said(test, accuracy, 10 + place, seed)
            predicted[learned] = said(test, student, 20 + place, seed)
            for number, (size, reached) in enumerate((curve or {}).items()):
                role = f"ceiling:{size}"
                predicted[ModelKey("t", role, None, strong, None, seed)] = said(test, reached, 100 + number, seed)
            for number, (size, reached) in enumerate((tuned or {}).items()):
                role = f"ceiling:{size}:l2=0.1"
                predicted[ModelKey("t", role, None, strong, None, seed)] = said(test, reached, 200 + number, seed)
            for number, (role, reached) in enumerate((others or {}).items()):
                predicted[ModelKey("t", role, "w", strong, None, seed)] = said(test, reached, 50 + number, seed)
            by_role = {"weak": weak, "student": learned, "ceiling": ceiling}
            entries = (Entry("w", "w"), Entry(strong, strong), Entry("naive", "naive"))
            asked.append(RunToScore("t", *entries, seed, by_role, {"n_transfer": 400}))
        others_taught = [(untaught, {"no_ceiling": NO_LESSON}), (unpretrained, {UNTRAINED: True})]
        for place, (strong, accuracy, fact) in enumerate(
            (strong, accuracy, fact) for models, fact in others_taught for strong, accuracy in (models or {}).items()
        ):
            alone = ModelKey("t", "student", "w", strong, "naive", seed)
            predicted[alone] = said(test, accuracy, 70 + place, 0)  # every seed says the same
            entries = (Entry("w", "w"), Entry(strong, strong), Entry("naive", "naive"))
            facts = {"n_transfer": 400, **fact}
            asked.append(RunToScore("t", *entries, seed, {"weak": weak, "student": alone, "ceiling": None}, facts))
    return Results.compute(asked, Predictions({"t": test}, predicted), {}, controls=True)


def test_a_curve_takes_the_better_l2_at_each_size() -> None:
    (plain,), (tuned,) = (
        results(curve=CURVE, tuned=more).cells for more in (None, {50: 0.75, 100: 0.76, 200: 0.5, 400: 0.9})
    )
    reached = [
        {point["rows"]: point["accuracy"]["estimate"] for point in cell["equivalent_labels"]["curve"]}
        for cell in (plain, tuned)
    ]
    assert reached[1] == reached[0] | {
        size: pytest.approx(to, abs=0.01) for size, to in ((50, 0.75), (100, 0.76), (400, 0.9))
    }
    assert tuned["equivalent_labels"]["estimate"] == pytest.approx(50, abs=3)  # the student's .75, and not 141


def test_equivalent_labels_between_the_points_of_the_curve() -> None:
    (cell,) = results(curve=CURVE).cells
    found = cell["equivalent_labels"]
    assert found["status"] == "ok"
    assert found["estimate"] == pytest.approx(141, abs=4)  # .75 is half way in log from 100 to 200
    assert found["low"] < 141 < found["high"]
    assert [point["rows"] for point in found["curve"]] == [25, 50, 100, 200, 400]  # the last one is the ceiling
    (sentence,) = equivalents([cell])
    assert "does as well as 14" in sentence
    assert "true labels would make it (95% interval" in sentence


@pytest.mark.parametrize(
    ("student", "status", "words"),
    [(0.5, "fewer than 25", "as fewer than 25 true"), (0.93, "more than 400", "as more than 400 true")],
)
def test_equivalent_labels_beyond_the_curve(student: float, status: str, words: str) -> None:
    (cell,) = results(student, curve=CURVE).cells
    assert cell["equivalent_labels"]["status"] == status
    assert cell["equivalent_labels"]["estimate"] is None
    assert words in equivalents([cell])[0]


def test_an_interval_that_reaches_over_an_end_says_so() -> None:
    (cell,) = results(0.605, curve=CURVE).cells
    assert cell["equivalent_labels"]["low"] == 0
    assert "95% interval fewer than 25 to" in equivalents([cell])[0]


def test_without_a_curve_or_a_ladder_nothing_is_claimed() -> None:
    for cell in results(ceilings={"s": 0.8, "t": 0.9}).cells:
        assert "equivalent_labels" not in cell
        assert "equivalent_supervision" not in cell


def test_equivalent_supervision_is_a_rank_on_the_ladder() -> None:
    ladder = {"large": 0.9, "small": 0.6, "middle": 0.72}
    cell = results(0.8, ceilings=ladder).cells[0]
    found = cell["equivalent_supervision"]
    assert [rung["strong"] for rung in found["ladder"]] == ["small", "middle", "large"]
    assert found["estimate"] == ["middle", "large"]
    (sentence,) = equivalents([cell])
    assert "Taught by w with naive on t, large is between middle and large trained on the truth" in sentence
    assert "(95% interval: between middle and large)" in sentence
    assert results(0.4, ceilings=ladder).cells[0]["equivalent_supervision"]["status"] == "below the ladder"
    above = results(0.97, ceilings=ladder).cells[0]
    assert above["equivalent_supervision"]["estimate"] == ["large", None]
    assert "large is above large trained on the truth" in equivalents([above])[0]


def of(made: Results, name: str) -> Any:
    (control,) = [control for control in made.controls if control["control"] == name]
    return control


def test_shuffled_labels_at_chance_are_right_and_above_it_a_leak() -> None:
    good = of(results(others={"shuffled": 0.5}), "shuffled labels")
    assert (good["status"], good["chance"]) == ("ok", pytest.approx(0.5, abs=0.01))
    bad = results(others={"shuffled": 0.61})
    assert of(bad, "shuffled labels")["status"] == "failed"
    (first, *_) = controls(bad.controls)
    assert first.startswith(
        "FAILED: shuffled labels: s taught shuffled labels of w on t reaches .610, and chance is .5"
    )
    assert first.endswith("something leaks")
    assert good["says"].endswith("no sign that it saw the truth beyond its labels")


def test_a_student_no_better_than_no_teacher() -> None:
    assert of(results(0.75), "no teacher")["status"] == "ok"
    nothing = of(results(0.51), "no teacher")
    assert nothing["status"] == "failed"
    assert nothing["says"].endswith(
        'always saying "0" reaches .500: that it needs a supervisor for what it reaches has not been shown'
    )


def test_the_best_of_what_needs_no_supervisor_is_what_a_student_is_compared_with() -> None:
    """A model that never learns, such as a zero-shot prompt, is a no-teacher row itself and no leak."""
    made = results(0.75, untaught={"zero": 0.7, "lexicon": 0.74})
    (control,) = [control for control in made.controls if control["control"] == "no teacher"]
    assert control["strong"] == "s"
    assert control["without_supervisor"] == "lexicon, which learns nothing here,"
    assert control["beyond_no_supervisor"]["estimate"] == pytest.approx(0.01)
    assert control["status"] == "failed"
    assert of(results(0.75, untaught={"zero": 0.6}), "no teacher")["status"] == "ok"
    assert of(results(0.75, untaught={"zero": 0.4}), "no teacher")["without_supervisor"] == 'always saying "0"'


def test_a_student_beside_one_of_untrained_features() -> None:
    made = results(0.75, unpretrained={"random": 0.6, "another": 0.55})
    control = of(made, "no pretraining")  # one: the untrained students have none of their own
    assert (control["strong"], control["untrained"], control["status"]) == ("s", "random", "ok")
    assert control["beyond_untrained"]["estimate"] == pytest.approx(0.15)
    assert control["says"].endswith("random, taught the same, reaches .600: its pretraining makes the difference")
    nothing = of(results(0.75, unpretrained={"random": 0.74}), "no pretraining")
    assert nothing["status"] == "failed"
    assert nothing["says"].endswith("that what it recovers comes from pretraining has not been shown")
    assert not [one for one in results(0.75).controls if one["control"] == "no pretraining"]


def test_a_student_as_its_own_supervisor() -> None:
    same = of(results(others={"own_weak": 0.7, "own_student": 0.7}), "weak = strong")
    assert (same["status"], same["gain"]["estimate"]) == ("ok", pytest.approx(0))
    gains = of(results(others={"own_weak": 0.7, "own_student": 0.8}), "weak = strong")
    assert gains["status"] == "noticed"
    assert gains["pgr"]["estimate"] == pytest.approx((0.8 - 0.7) / (0.84 - 0.7))
    assert "as its own supervisor on t, with as many rows as w: the supervisor reaches .700" in gains["says"]
    assert ", a PGR of .714 [" in gains["says"]
    assert "needs no stronger student" in gains["says"]


def test_the_noise_of_seeds_is_told() -> None:
    noise = of(results(), "seed noise floor")
    assert noise["standard_deviation"] == pytest.approx(0, abs=1e-12)  # exactly .84 at every seed
    assert "3 seeds" in noise["says"]


def test_controls_are_kept_and_only_where_asked_for(tmp_path: Path) -> None:
    made = results(others={"shuffled": 0.5})
    made.write(tmp_path)
    assert Results.read(tmp_path).controls == made.controls
    assert np.isfinite(made.controls[0]["chance"])
