"""What methods did, in sentences, from the facts of runs."""

from typing import Any

from outgrow.report.words.method_sentences import besides_training


def run(seed: int = 0, **facts: Any) -> dict[str, Any]:
    names = {
        "task": "mail",
        "test_set": "test",
        "weak": "static:wordllama",
        "strong": "probe:minilm",
        "method": facts.pop("method", "naive"),
    }
    return {**names, "seed": seed, "n_transfer": 900, "weak_label_accuracy": 0.78, **facts}


WHO = "probe:minilm, taught by static:wordllama with {} on mail, "


def test_a_method_that_only_learns_is_not_told() -> None:
    assert besides_training([run(0), run(1)]) == []


def test_the_choice_among_values() -> None:
    grid = {"confidence": {"alpha": [0.25, 0.5]}}
    facts = {"method": grid, "methods_tried": 2, "method_chosen_by": "weak labels"}
    runs = [
        run(seed, chosen_method=name, **facts) for seed, name in enumerate(["alpha=0.5", "alpha=0.25", "alpha=0.5"])
    ]
    told = "tried 2 values and took {}, by weak labels on validation."
    assert besides_training(runs)[0].endswith(told.format("alpha=0.5 for 2, alpha=0.25 for 1 of 3 seeds"))
    assert besides_training(runs[:1])[0].endswith(told.format("alpha=0.5"))


def test_labels_that_were_changed_or_left_out() -> None:
    facts = {"method": ["filter", "confidence"], "labels_changed": 0}
    runs = [run(0, n_learned=400, label_accuracy=0.9, **facts), run(1, n_learned=500, label_accuracy=0.8, **facts)]
    assert besides_training(runs) == [
        WHO.format("filter + confidence")
        + "learned from 450 of 900 rows, labels right on 0.850 of them, where the supervisor's are on 0.780."
    ]
    changed = {"method": "relabel", "labels_changed": 120, "n_learned": 900, "label_accuracy": None}
    assert besides_training([run(0, **changed)]) == [
        WHO.format("relabel") + "learned from 900 of 900 rows, 120 labels changed."
    ]


def test_a_training_that_ended_early() -> None:
    assert besides_training(
        [run(0, stopped_at=0.4, method="early_stop"), run(1, stopped_at=1.0, method="early_stop")]
    ) == [WHO.format("early_stop") + "kept the weights that it had after 40% to 100% of its training."]
    assert besides_training([run(0, stopped_at=0.3)])[0].endswith(
        "kept the weights that it had after 30% of its training."
    )


def test_two_things_at_once() -> None:
    told = besides_training([run(0, stopped_at=0.3, labels_changed=5, n_learned=900)])
    assert told[0].endswith(
        "learned from 900 of 900 rows, 5 labels changed; it kept the weights that it had after 30% of its training."
    )
