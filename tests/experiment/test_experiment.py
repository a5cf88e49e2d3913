"""What a YAML file may say, and the sentence for everything that it may not."""

# ruff: noqa: E501
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from outgrow import Experiment, UsageError
from outgrow.experiment.spec.resolve import read_experiment

CSV = "sentence,label\n" + "".join(f"the film number {i} was {w},{w}\n" for i in range(40) for w in ("good", "bad"))


def content(**changes: Any) -> dict[str, Any]:
    whole = {
        "name": "reviews",
        "tasks": [{"file": "reviews.csv", "text": "sentence", "label": "label"}],
        "weak": ["static:wordllama"],
        "strong": ["probe:minilm"],
        "methods": ["naive"],
        "seeds": 2,
        "split": {"weak_train": 10, "transfer": 10, "validation": 5, "test": 10},
    }
    return {key: value for key, value in {**whole, **changes}.items() if value is not ...}


def write(folder: Path, text: str | dict[str, Any]) -> Path:
    (folder / "reviews.csv").write_text(CSV)
    path = folder / "experiment.yaml"
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False))
    return path


def problems(folder: Path, text: str | dict[str, Any]) -> list[str]:
    with pytest.raises(UsageError) as caught:
        read_experiment(write(folder, text))
    return [problem.replace(str(folder), "DIR") for problem in caught.value.problems]


def test_the_form_in_the_readme_is_read(tmp_path: Path) -> None:
    (tmp_path / "crowd.csv").write_text("sentence,label\nthe film number 1 was good,good\n")
    text = """
name: reviews
tasks:
  - name: reviews
    file: reviews.csv
    text: sentence
    label: label
    group: null
    test: null
weak:   [static:wordllama, {given: crowd.csv}]
strong: [probe:sentence-transformers/all-MiniLM-L6-v2]
methods: [naive, {confidence: {alpha: 0.5}}, [{confidence: {alpha: 0.75}}]]
seeds: 5
split: {weak_train: 2000, transfer: 2000, validation: 500, test: 1000}
"""
    experiment = Experiment.read(write(tmp_path, text))
    assert experiment.seeds == [0, 1, 2, 3, 4]
    assert [spec.name for spec in experiment.weak] == ["static:wordllama", "given:crowd.csv"]
    assert [spec.method.alpha for spec in experiment.methods[1:]] == [0.5, 0.75]
    assert experiment.weak[0].options.checkpoint == "wordllama"


def test_on_is_a_word(tmp_path: Path) -> None:
    """In YAML 1.1 it would be true, and the option `on` nobody's."""
    (tmp_path / "crowd.csv").write_text("id,label\n1,good\n")
    text = """
tasks: [{file: reviews.csv, text: sentence, label: label}]
weak: [{given: crowd.csv, on: id}, {prompt: smollm2, words: {yes: "yes", no: off}}]
strong: [static:wordllama]
methods: [{early_stop: {on: truth}}, {naive: {hard: true}}]
split: {weak_train: 10, transfer: 10, validation: 5, test: 10}
"""
    experiment = Experiment.read(write(tmp_path, text))
    assert experiment.weak[0].options.on == "id"
    assert experiment.weak[1].options.words == {"yes": "yes", "no": "off"}
    assert experiment.methods[0].parts.procedure.on == "truth"
    assert experiment.methods[1].method.hard is True
    again = write(tmp_path, experiment.to_yaml())
    assert [spec.identity for spec in Experiment.read(again).methods] == [spec.identity for spec in experiment.methods]


def test_defaults() -> None:
    experiment = Experiment(
        name="x", tasks=["sentiment"], weak=["static:wordllama"], strong="probe:minilm",
        split={"weak_train": 10, "transfer": 10, "test": 10},
    )  # fmt: skip
    assert experiment.tasks[0].title == "sentiment"
    assert [spec.written for spec in experiment.methods] == ["naive"]
    assert len(experiment.seeds) == 5


def test_name_and_task_name_default_to_the_stems(tmp_path: Path) -> None:
    experiment = Experiment.read(write(tmp_path, content(name=...)))
    assert experiment.name == "experiment"
    assert experiment.tasks[0].title == "reviews"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tasks": [{"file": "nowhere.csv", "text": "a", "label": "b"}]}, "tasks[0].file: DIR/nowhere.csv: there is no such file"),
        ({"tasks": [{"file": ".", "text": "a", "label": "b"}]}, "tasks[0].file: DIR: is a folder, not a file"),
        ({"tasks": ["sentimant"]}, 'tasks[0]: unknown task "sentimant"; did you mean "sentiment" or "tweet_sentiment"?'),
        ({"tasks": [{"file": "reviews.csv", "label": "b"}]}, "tasks[0]: `text` is missing: name the column"),
        ({"tasks": [{"file": "reviews.csv", "hub": "a/b", "text": "a", "label": "b"}]},
         "tasks[0]: a task has exactly one of `file`, `hub` and `task`, not file and hub"),
        ({"tasks": [{"text": "a", "label": "b"}]}, "tasks[0]: a task has exactly one of `file`, `hub` and `task`, not none of them"),
        ({"tasks": [{"file": "reviews.csv", "text": "a", "label": "b", "config": "c"}]}, "tasks[0]: `config` has no meaning beside `file`"),
        ({"tasks": [{"images": "nowhere"}]}, "tasks[0].file: DIR/nowhere: there is no such file or folder"),
        ({"tasks": [{"file": "reviews.csv", "text": "a", "image": "b", "label": "c"}]},
         "tasks[0]: `image` has no meaning beside `text`: a row has one kind of input"),
        ({"tasks": [{"file": "reviews.csv", "text": "a", "labl": "b"}]}, 'tasks[0]: unknown key "labl"; did you mean "label"?'),
        ({"tasks": []}, "tasks: list should have at least 1 item after validation, not 0, not []"),
        ({"tasks": ["sentiment", "sentiment"]}, "tasks: sentiment is listed twice"),
        ({"weak": ["statik:wordllama"]}, 'weak[0]: unknown model kind "statik"; did you mean "static"?'),
        ({"weak": [{"given": "nowhere.csv"}]}, "weak[0]: DIR/nowhere.csv: there is no such file"),
        ({"weak": [3]}, "weak[0]: a model is a name or a mapping like `{static: wordllama}`, not 3"),
        ({"weak": ["static:wordllama", "static:wordllama"]}, "weak: static:wordllama is listed twice"),
        ({"weak": ["static:wordllama", {"static": "wordllama"}]}, "weak: static:wordllama is listed twice"),
        ({"weak": [{"static": "wordllama", "l2": -1}]}, "weak[0]: static: l2: should be greater than 0, not -1"),
        ({"weak": [{"static": "wordllama", "rosw": 3}]}, 'weak[0]: static: unknown option "rosw"; did you mean "rows"?'),
        ({"weak": [{"static": "wordllama", "rows": 11}]}, "weak: static:wordllama rows=11 asks for 11 rows of 10 in weak_train"),
        ({"strong": [{"probe": "minilm", "rows": 4}]},
         "strong: probe:minilm rows=4: `rows` is for supervisors: every student learns from all of transfer"),
        ({"strong": [{"given": "reviews.csv"}]}, "strong[0]: `given` labels can supervise but not learn: give a model under `strong`"),
        ({"strong": [{"probe": "minilm", "steps": "many"}]}, "strong[0]: probe: steps: should be a valid integer, not 'many'"),
        ({"strong": ["probe"]}, 'strong[0]: probe: "checkpoint" is missing'),
        ({"methods": ["confidance"]}, 'methods[0]: unknown method "confidance"; did you mean "confidence"?'),
        ({"methods": [{"confidence": {"alpha": 2}}]}, "methods[0]: confidence: alpha: should be less than or equal to 1, not 2"),
        ({"methods": [{"confidence": {"alfa": 1}}]}, 'methods[0]: confidence: unknown option "alfa"; did you mean "alpha"?'),
        ({"methods": [["naive", "confidence"]]},
         "methods[0]: naive and confidence each bring a loss of their own, and a student learns by one; "
         "list them as separate methods"),
        ({"methods": [[]]}, "methods[0]: an empty list composes nothing: write `naive`"),
        ({"methods": ["plug.py:Mine"]}, "methods[0]: DIR/plug.py:Mine: there is no file DIR/plug.py"),
        ({"seeds": 0}, "seeds: is 0: at least one seed is needed"),
        ({"seeds": -3}, "seeds: is -3: at least one seed is needed"),
        ({"seeds": []}, "seeds: is empty: at least one seed is needed"),
        ({"seeds": [1, 2, 1]}, "seeds: seed 1 is listed twice; repeating a seed adds no information"),
        ({"seeds": ["a"]}, "seeds[0]: should be a valid integer, not 'a'"),
        ({"split": {"weak_train": -5, "transfer": 10, "test": 10}}, "split.weak_train: should be greater than or equal to 1, not -5"),
        ({"split": {"weak_train": 5, "transfer": 0, "test": 10}}, "split.transfer: should be greater than or equal to 1, not 0"),
        ({"split": {"weak_train": 5, "test": 10}}, 'split: "transfer" is missing'),
        ({"split": {"weak_train": 5, "transfer": 5}}, "split: `test` is missing, and task reviews has no test split of its own"),
        ({"split": {"transfer": 5, "test": 5}}, "split: `weak_train` is missing: static:wordllama learns from those rows"),
        ({"split": {"weak_train": 5, "transfer": 5, "test": 5}, "strong": [{"probe": "minilm", "l2": [0.1, 1.0]}]},
         "split: `validation` is missing: probe:minilm l2=[0.1,1.0] chooses l2 there"),
        ({"split": {"weak_train": 5, "transfer": 5, "test": 5, "vaildation": 3}}, 'split: unknown key "vaildation"; did you mean "validation"?'),
        ({"metods": ["naive"]}, 'unknown key "metods"; did you mean "methods" or "metrics"?'),
        ({"name": "a/b"}, 'name: "a/b" cannot name the run folder: no slashes, and no dot in front'),
        ({"weak": ...}, '"weak" is missing'),
    ],
)  # fmt: skip
def test_each_fault_has_its_sentence(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    found = [problem.partition(": ")[2] for problem in problems(tmp_path, content(**changes))]
    assert found == [sentence]


def test_a_fault_names_its_line(tmp_path: Path) -> None:
    text = yaml.safe_dump(content(methods=["naive", "confidance"]), sort_keys=False)
    line = 1 + text.split("\n").index("- confidance")
    assert problems(tmp_path, text)[0].startswith(f"DIR/experiment.yaml:{line}: methods[1]: unknown method")


def test_ten_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = """\
name: .hidden
tasks:
  - {file: reviews.csv, text: sentense, label: label}
  - {file: nowhere.csv, text: sentence, label: label}
weak: [statik:wordllama, static:wordlama]
strong: [{probe: minilm, stepz: 3}]
methods: [confidance, {confidence: {alpha: 7}}]
seeds: [1, 1]
split: {weak_train: 0, transfer: 10, test: 10}
"""
    found = problems(tmp_path, text)
    for part in (
        "experiment.yaml:1: name",
        "reviews.csv: has no column 'sentense' for text",
        "nowhere.csv: there is no such file",
        'unknown model kind "statik"',
        "'wordlama' is not a short name",
        'unknown option "stepz"',
        'unknown method "confidance"',
        "alpha: should be less than or equal to 1",
        "seed 1 is listed twice",
        "split.weak_train",
    ):
        assert sum(part in problem for problem in found) == 1, (part, "\n".join(found))
    assert len(found) == 10


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: [1,\nb", "DIR/experiment.yaml:2: is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("name: !!python/object/apply:os.system ['echo']", "DIR/experiment.yaml:1: only plain YAML is read, no tags such as !!python/object/apply:os.system"),
        ("a: 1\na: 2", 'DIR/experiment.yaml:2: the key "a" is twice in one mapping; keep one'),
        ("just words", "DIR/experiment.yaml: an experiment is a mapping with tasks, weak, strong and split"),
        ("", "DIR/experiment.yaml: an experiment is a mapping with tasks, weak, strong and split"),
        ("a: \x00", "DIR/experiment.yaml: holds the control character U+0000, which YAML does not allow; take it out"),
    ],
)  # fmt: skip
def test_what_is_no_plain_yaml(tmp_path: Path, text: str, sentence: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(sentence)


def test_a_python_tag_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    problems(tmp_path, f"name: !!python/object/apply:os.mkdir ['{mark}']")
    assert not mark.exists()


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    for path, sentence in (
        (tmp_path / "none.yaml", "there is no such file"),
        (tmp_path, "is a folder; give the YAML file in it"),
    ):
        with pytest.raises(UsageError, match=sentence):
            Experiment.read(path)
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        Experiment.read(tmp_path / "latin.yaml")


def test_resolved_yaml_reads_back_from_another_folder(tmp_path: Path) -> None:
    (tmp_path / "crowd.csv").write_text("sentence,label\nthe film number 1 was good,good\n")
    (tmp_path / "elsewhere").mkdir()
    weak = ["static:wordllama", {"given": "crowd.csv", "on": "row"}, "given:crowd.csv"]
    first = Experiment.read(write(tmp_path, content(weak=weak)))
    again = tmp_path / "elsewhere" / "experiment.yaml"
    again.write_text(first.to_yaml())
    second = Experiment.read(again)
    assert second.tasks[0].file == str(tmp_path / "reviews.csv")
    assert second.weak[1].options.file == str(tmp_path / "crowd.csv")
    assert second.to_yaml() == first.to_yaml()
