"""Result folders in the form of the field's reference code: accuracies, and what they do not tell. docs/guide/score.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.results.external.score import ONE_SEED, SEEDS_ONLY, results_of
from outgrow.results.run_results import Results

SUMMARY = "results_summary.json"
OTHER_HALF = (
    "in folders of this form the ceiling was taught the truth on the supervisor's half of the data, not on the student's: "
    "PGR compares students of different lessons"
)
OTHER_TEST = (
    "the seed also draws the test rows where n_test_docs is less than there are: accuracies of different seeds may be of "
    "different rows, and part of the spread is theirs"
)
PICKLE = "{} result{} in pickle files {} not read, for loading a pickle can run anything: predictions on test rows are in there"


@dataclass(frozen=True)
class Trained:
    """One run's folder: its settings, its accuracy, and how often its weak labels are right, if it left any."""

    folder: Path
    config: Mapping[str, Any]
    accuracy: float
    labels_right: float | None

    def setting(self, name: str) -> Any:
        return self.config.get(name)


# Of a config: what names a run's models and repeat, and what says where things lie.
NAMED = ("ds_name", "model_size", "weak_model_size", "loss", "seed")
PLACES = ("folder", "path", "dir", "command", "subfolder")
TRAINING = (
    "lr",
    "optim",
    "lr_schedule",
    "train_with_dropout",
    "eval_every",
)  # supervisors that differ in these are a choice


def score_folder(root: Path, ceilings: Path | None = None) -> Results:
    """Cells from every run below a folder, with the ceilings there or below another one; notes say what cannot be concluded.

    Raises UsageError where there is nothing.
    """
    for place in (root, *([] if ceilings is None else [ceilings])):
        if not place.is_dir():
            raise UsageError(f"{place}: there is no such folder")
    problems: list[str] = []
    trained = list(_trained(root, problems))
    tops = trained if ceilings is None else list(_trained(ceilings, problems))
    if ceilings is not None and not tops and not problems:
        problems.append(
            f"{ceilings}: holds no results in the form of the reference code; --ceilings names their folder"
        )
    joint = list(_joint(root, problems))
    if problems:
        raise UsageError(*problems)
    if not trained and not joint:
        raise UsageError(
            f"{root}: holds no results in the form of the reference code: config.json beside {SUMMARY} with an accuracy, or "
            f"<weak>_<strong>.{SUMMARY} with weak_acc, strong_acc and transfer_acc_<loss>"
        )
    notes: list[str] = [SEEDS_ONLY]
    cells = _cells(trained, tops, notes, problems)
    if problems:
        raise UsageError(*problems)
    if cells:
        notes.append(OTHER_HALF)
    if len({run.setting("seed") for run in trained}) > 1:
        notes.append(OTHER_TEST)
    for title, rows in _by_name(joint).items():
        cells[title] = rows
    if not cells:
        raise UsageError(f"{root}: {'; '.join(notes[1:]) or 'no student was taught by weak labels here'}")
    if any(len(rows) == 1 for rows in cells.values()):
        notes.append(ONE_SEED)
    pickles = len(list(root.rglob("*.pkl")))
    if pickles:
        notes.append(PICKLE.format(pickles, "" if pickles == 1 else "s", "is" if pickles == 1 else "are"))
    return results_of(list(cells.values()), notes)


def _trained(root: Path, problems: list[str]) -> Iterator[Trained]:
    for path in sorted(root.rglob(SUMMARY)):
        config_path = path.with_name("config.json")
        summary = _read(path, problems)
        if "accuracy" not in summary:
            continue
        if not config_path.is_file():
            problems.append(f"{path}: config.json is missing beside it, which says whose accuracy this is")
            continue
        config, accuracy = _read(config_path, problems), summary["accuracy"]
        if not isinstance(accuracy, int | float) or not 0 <= accuracy <= 1:
            problems.append(f"{path}: accuracy is {accuracy!r}, not between 0 and 1")
            continue
        missing = [name for name in ("ds_name", "model_size", "seed", "loss") if name not in config]
        if missing:
            problems.append(f"{config_path}: does not say {', '.join(missing)}")
            continue
        yield Trained(path.parent, config, float(accuracy), _labels_right(path.parent / "weak_labels", problems))


def _read(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        problems.append(f"{path}: is damaged or not JSON")
        return {}
    return content if isinstance(content, dict) else {}


def _labels_right(folder: Path, problems: list[str]) -> float | None:
    """Of the rows that a supervisor labelled, the share where hard_label is gt_label; both may be numbers or soft."""
    import pyarrow as pa

    right: list[bool] = []
    for path in sorted(folder.glob("data-*.arrow")):
        try:
            table = pa.ipc.open_stream(pa.OSFile(str(path))).read_all()
            truth, predicted = (np.array(table[name].to_pylist()) for name in ("gt_label", "hard_label"))
        except (pa.ArrowException, KeyError, OSError, ValueError):
            problems.append(f"{path}: holds no readable rows with gt_label and hard_label")
            return None
        right += [bool(np.all(a == b)) for a, b in zip(truth, predicted, strict=True)]
    return float(np.mean(right)) if right else None


def _distinguished(students: Sequence[Trained]) -> dict[Path, str]:
    """What a cell's name says beside data, models and loss, by folder: the settings in which such students differ.

    A setting with another value in every run, such as a run's own name, counts only where runs of one seed are not
    distinguished without it.
    """
    together: dict[tuple[Any, ...], list[Trained]] = {}
    for run in students:
        together.setdefault(tuple(str(run.setting(name)) for name in NAMED[:-1]), []).append(run)
    words: dict[Path, str] = {}
    for runs in together.values():
        values = {
            name: [repr(run.setting(name)) for run in runs]
            for name in dict.fromkeys(name for run in runs for name in run.config)
            if name not in NAMED
            and not name.endswith(PLACES)
            and not any(isinstance(run.setting(name), list | dict) for run in runs)
        }
        counts = {name: len(set(found)) for name, found in values.items()}
        used: list[str] = []
        for name in sorted(values, key=lambda name: (counts[name] == len(runs), counts[name])):
            own = counts[name] == len(runs)
            cells = [(run.setting("seed"), *(values[key][place] for key in used)) for place, run in enumerate(runs)]
            if counts[name] > 1 and (not own or len(set(cells)) < len(runs)):
                used.append(name)
        for run in runs:
            settings = [f"{name}={run.setting(name)}" for name in sorted(used) if run.setting(name) is not None]
            words[run.folder] = "".join(f" {one}" for one in settings)
    return words


def _cells(
    trained: list[Trained], tops: list[Trained], notes: list[str], problems: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """Students that weak labels taught, each with the supervisor and the ceiling of its data and seed."""
    cells: dict[str, list[dict[str, Any]]] = {}
    students = [run for run in trained if run.setting("weak_model_size") is not None]
    apart = _distinguished(students)
    for run in students:
        seed, data = run.setting("seed"), run.setting("ds_name")
        weak = _truth_taught(trained, run, run.setting("weak_model_size"), notes, problems)
        ceiling = _truth_taught(tops, run, run.setting("model_size"), notes, problems)
        if weak is None or ceiling is None:
            continue
        if weak.labels_right is not None:
            notes.append(
                f"{data}, seed {seed}: the weak labels of {weak.setting('model_size')} are right on "
                f"{weak.labels_right:.3f} of the rows that it labelled (not test rows)"
            )
        row = {
            "task": data,
            "weak_name": weak.setting("model_size"),
            "strong_name": run.setting("model_size"),
            "method": f"{run.setting('loss')}{apart[run.folder]}",
            "seed": seed,
            "n_test": None,
            "weak": weak.accuracy,
            "student": run.accuracy,
            "ceiling": ceiling.accuracy,
        }
        rows = cells.setdefault("\n".join(str(row[key]) for key in ("task", "weak_name", "strong_name", "method")), [])
        if any(other["seed"] == seed for other in rows):
            problems.append(
                f"{run.folder}: is a second run of the same data, models, loss and seed; score one of them at a time"
            )
        rows.append(row)
    unique = list(dict.fromkeys(notes))
    notes[:] = unique
    return cells


def _truth_taught(
    trained: list[Trained], run: Trained, model: str, notes: list[str], problems: list[str]
) -> Trained | None:
    """The one run of a model on the truth with a student's data, sizes, epochs and seed."""
    shared = ("ds_name", "seed", "n_docs", "n_test_docs", "epochs", "linear_probe", "batch_size", "max_ctx")
    found = [
        other
        for other in trained
        if other.setting("weak_model_size") is None
        and other.setting("model_size") == model
        and other.setting("loss") == "xent"
        and all(other.setting(name) == run.setting(name) for name in shared)
    ]
    if len(found) > 1:  # of several, the one with the student's settings of other kinds
        rest = [name for name in run.config if name not in (*NAMED, *shared, *TRAINING) and not name.endswith(PLACES)]
        closest = [other for other in found if all(other.setting(name) == run.setting(name) for name in rest)]
        found = closest if len(closest) == 1 else found
    what = f"{model} taught the truth on {run.setting('ds_name')} with seed {run.setting('seed')}"
    if not found:
        notes.append(f"{run.folder}: left out, for there is no run of {what} and the same settings")
    elif len(found) > 1:
        problems.append(
            f"{found[0].folder} and {found[1].folder}: are both {what}; score a folder that has one of them"
        )
    return found[0] if len(found) == 1 else None


def _joint(root: Path, problems: list[str]) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(root.rglob(f"*.{SUMMARY}")):
        content = _read(path, problems)
        wanted = {
            key: value for key, value in content.items() if key.endswith("_acc") or key.startswith("transfer_acc")
        }
        if not {"weak_acc", "strong_acc"} <= set(wanted):
            problems.append(f"{path}: holds no weak_acc and strong_acc")
        elif not all(isinstance(value, int | float) and 0 <= value <= 1 for value in wanted.values()):
            problems.append(f"{path}: holds accuracies that are not between 0 and 1")
        else:
            yield path, wanted


def _by_name(joint: list[tuple[Path, dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Files of one name in several folders are repeats: the form names no seed."""
    cells: dict[str, list[dict[str, Any]]] = {}
    for path, content in joint:
        stem = path.name.removesuffix(f".{SUMMARY}")
        weak, _, strong = stem.partition("_")
        if "_" in strong:  # names with _ in them cannot be distinguished
            weak, strong = stem, "student"
        for key, value in content.items():
            if key.startswith("transfer_acc"):
                method = key.removeprefix("transfer_acc").removeprefix("_") or "given"
                rows = cells.setdefault(f"{stem}\n{method}", [])
                names = {"task": "task", "weak_name": weak, "strong_name": strong, "method": method}
                scores = {"weak": content["weak_acc"], "student": value, "ceiling": content["strong_acc"]}
                rows.append({**names, **scores, "seed": len(rows), "n_test": None})
    return cells
