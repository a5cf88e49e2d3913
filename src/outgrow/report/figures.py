"""Results -> the rows of each figure, panel by panel. A figure without data is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from outgrow.core.entry_names import display
from outgrow.core.examples import Floats, Ints
from outgrow.report import charts
from outgrow.results.cells import RunToScore, Scored
from outgrow.results.predictions import ModelKey

Row = Mapping[str, Any]
Key = tuple[str, ...]

NAMES = ("run", "task", "weak", "strong", "method")
BINS = 10  # of the calibration curve: equal mass, so that each point rests on as many predictions


@dataclass(frozen=True)
class Figure:
    """A figure: one specification, and the rows of each panel. A panel's name tells it from the others.

    `band` names the column whose distinct values are the chart's rows: the specification's height is that of one.
    """

    name: str
    title: str
    caption: str
    spec: Mapping[str, Any]
    columns: tuple[str, ...]
    panels: Mapping[str, Sequence[Row]]
    band: str | None = None


@dataclass(frozen=True)
class Scene:
    """What figures are drawn from: the cells of all runs, each with its `run`, and every run's predictions."""

    cells: Sequence[Mapping[str, Any]]
    runs: Mapping[str, tuple[Sequence[RunToScore], Scored]]


def figures(scene: Scene) -> list[Figure]:
    """The paper's figures, as far as there is something to show."""
    made = [_accuracy(scene.cells), _heat(scene.cells), _recovery(scene.cells), _mistakes(scene.cells)]
    made += [_calibration(scene), _learning(scene)]
    return [figure for figure in made if figure is not None]


def names(cell: Mapping[str, Any]) -> dict[str, str]:
    """A cell's names as people read them."""
    return {"run": str(cell.get("run", "")), **{name: display(cell[name]) for name in NAMES[1:]}}


def _accuracy(cells: Sequence[Mapping[str, Any]]) -> Figure | None:
    ladder = {(cell.get("run"), cell["task"], display(cell["strong"])) for cell in cells}
    if len({(run, task) for run, task, _ in ladder}) < len(ladder):
        return _against_student(cells)
    rows: dict[Key, list[Row]] = {}
    for cell, label in _labelled(cells):
        for role, name in (("weak", "supervisor"), ("student", "student"), ("ceiling", "ceiling")):
            found = cell[f"{role}_accuracy"]
            if found["estimate"] is not None:
                rows.setdefault(_key(cell, "run", "task", "strong"), []).append(
                    {**_who(cell), "row": label, "role": name, **_numbers(found)}
                )
    return _figure(
        "accuracy",
        "Accuracy of supervisor, student and ceiling",
        "Each with its 95% interval, on the same test examples.",
        partial(charts.accuracies, _lines(cells)),
        ("weak", "method", "row", "role", "estimate", "low", "high"),
        rows,
        "row",
    )


def _against_student(cells: Sequence[Mapping[str, Any]]) -> Figure | None:
    rows: dict[Key, list[Row]] = {}
    ceilings: dict[tuple[Key, str], Row] = {}
    row: Row
    for cell in cells:
        who, key = names(cell), _key(cell, "run", "task", "method")
        student, ceiling = cell["student_accuracy"], cell["ceiling_accuracy"]
        if student["estimate"] is not None:
            row = {
                "strong": who["strong"],
                "series": f"taught by {who['weak']}",
                "weak": cell["weak_accuracy"]["estimate"],
            }
            rows.setdefault(key, []).append({**row, **_numbers(student)})
        if ceiling["estimate"] is not None:
            # Given labels that leave rows out have a ceiling of their own; the first supervisor's is drawn.
            row = {"strong": who["strong"], "series": "taught the truth", "weak": None, **_numbers(ceiling)}
            ceilings.setdefault((key, who["strong"]), row)
    for (key, _), row in ceilings.items():
        rows.setdefault(key, []).append(row)
    return _figure(
        "accuracy",
        "Accuracy against student",
        "In the ladder's order: one line a supervisor, its own accuracy dashed in its colour, and the same students taught "
        "the truth. Bars are 95% intervals.",
        charts.accuracy_by_student,
        ("strong", "series", "weak", "estimate", "low", "high"),
        rows,
    )


def _heat(cells: Sequence[Mapping[str, Any]]) -> Figure | None:
    rows: dict[Key, list[Row]] = {}
    for cell in cells:
        row = {**_who(cell), **_numbers(cell["pgr"]), "status": cell["pgr"]["status"]}
        rows.setdefault(_key(cell, "run", "task", "method"), []).append(row)
    rows = {
        key: panel
        for key, panel in rows.items()
        if len({row["weak"] for row in panel}) > 1 and len({row["strong"] for row in panel}) > 1
    }
    return _figure(
        "pgr_weak_strong",
        "Performance gap recovered, weak × strong",
        "Grey: undefined, the ceiling is not above the supervisor beyond chance, or is not known.",
        charts.heat,
        ("weak", "strong", "estimate", "low", "high", "status"),
        rows,
        "weak",
    )


def _recovery(cells: Sequence[Mapping[str, Any]]) -> Figure | None:
    rows: dict[Key, list[Row]] = {}
    for cell, label in _labelled(cells):
        if cell["pgr"]["estimate"] is not None:
            row = {**_who(cell), "row": label, **_numbers(cell["pgr"])}
            rows.setdefault(_key(cell, "run", "task", "strong"), []).append(row)
    return _figure(
        "pgr",
        "Performance gap recovered, by method",
        "0 is the supervisor, 1 the ceiling; 95% intervals. Where it is undefined, the table says why.",
        partial(charts.recovery, _lines(cells)),
        ("weak", "method", "row", "estimate", "low", "high"),
        rows,
        "row",
    )


def _mistakes(cells: Sequence[Mapping[str, Any]]) -> Figure | None:
    rows: dict[Key, list[Row]] = {}
    for cell, label in _labelled(cells):
        found = cell.get("agreement") or {}
        for outcome, alone in (("mistakes_copied", "copied"), ("mistakes_corrected", "corrected")):
            if found.get(outcome, {}).get("estimate") is not None:
                row = {**_who(cell), "row": label, "outcome": alone, **_numbers(found[outcome])}
                row["independent"] = found.get(f"{alone}_if_independent", {}).get("estimate")
                rows.setdefault(_key(cell, "run", "task", "strong"), []).append(row)
    return _figure(
        "agreement",
        "The supervisor's mistakes: copied and corrected",
        "Of the test examples where the supervisor is wrong. The tick is what two models of these accuracies with independent "
        "errors would show.",
        partial(charts.mistakes, _lines(cells)),
        ("weak", "method", "row", "outcome", "estimate", "low", "high", "independent"),
        rows,
        "row",
    )


def _calibration(scene: Scene) -> Figure | None:
    rows: dict[Key, list[Row]] = {}
    for run, (asked, scored) in scene.runs.items():
        groups: dict[Key, dict[str, dict[ModelKey, None]]] = {}
        for one in asked:
            panel = groups.setdefault((run, one.task, one.weak.name, one.strong.name), {})
            series = {"weak": "supervisor", "student": f"student, {one.method.name}", "ceiling": "ceiling"}
            for role, name in series.items():
                if (speaker := one.speakers[role]) is not None:
                    panel.setdefault(name, {})[speaker] = None
        known: dict[Key, list[Row]] = {}
        for key, panel in groups.items():
            for name in sorted(panel, key=lambda name: (name != "supervisor", name == "ceiling")):
                speakers = tuple(panel[name])
                curve = known.setdefault(speakers, _curve(speakers, scored))  # type: ignore[arg-type]
                rows.setdefault(key, []).extend({"series": name, **point} for point in curve)
    return _figure(
        "calibration",
        "Calibration",
        f"How often a model is right against how sure it is, all seeds together, in {BINS} bins of as many predictions "
        "each. Below the diagonal it is too sure.",
        charts.calibration,
        ("series", "confidence", "right", "predictions"),
        rows,
    )


def _curve(speakers: Sequence[ModelKey], scored: Scored) -> list[Row]:
    said = [(speaker, hard) for speaker in speakers if (hard := scored.hard(speaker)) is not None]
    if not said:
        return []
    sure = np.concatenate([_confidence(scored.tables.probabilities[speaker], hard) for speaker, hard in said])
    right = np.concatenate([hard == scored.test(speaker.task).truth for speaker, hard in said])
    if (sure == sure[0]).all():
        return []  # labels without probabilities: nothing is said of how sure
    order = np.argsort(sure, kind="stable")
    return [
        {
            "confidence": round(float(sure[part].mean()), 6),
            "right": round(float(right[part].mean()), 6),
            "predictions": len(part),
        }
        for part in np.array_split(order, BINS)
        if len(part)
    ]


def _confidence(probabilities: Floats, hard: Ints) -> Floats:
    return np.asarray(probabilities[np.arange(len(hard)), hard], dtype=np.float64)


def _learning(scene: Scene) -> Figure | None:
    together: dict[Key, dict[tuple[str, float], list[float]]] = {}
    for run, (_, scored) in scene.runs.items():
        for speaker, points in scored.tables.curves.items():
            role = "supervisor" if speaker.role == "weak" else speaker.role
            series = ", ".join([role, *(name for name in (speaker.weak, speaker.method) if name)])
            for measure, words in (
                ("test_accuracy", "test accuracy"),
                ("weak_agreement", "agreement with weak labels"),
            ):
                panel = together.setdefault((run, speaker.task, speaker.strong or "supervisors", words), {})
                for point in points:
                    progress, value = point["progress"], point.get(measure)
                    if progress is not None and value is not None:
                        panel.setdefault((series, progress), []).append(value)
    rows: dict[Key, list[Row]] = {
        key: [
            {
                "series": series,
                "progress": progress,
                "value": sum(values) / len(values),
                "least": min(values),
                "most": max(values),
                "seeds": len(values),
            }
            for (series, progress), values in points.items()
        ]
        for key, points in together.items()
    }
    return _figure(
        "learning_curves",
        "Learning curves",
        "What the finetuned models reach as training goes on, on some of the test examples: the mean over seeds, and "
        "the range of the seeds.",
        charts.learning,
        ("series", "progress", "value", "least", "most", "seeds"),
        rows,
    )


def _figure(
    name: str,
    title: str,
    caption: str,
    spec: Callable[[], dict[str, Any]],
    columns: tuple[str, ...],
    rows: Mapping[Key, Sequence[Row]],
    band: str | None = None,
) -> Figure | None:
    filled = {key: panel for key, panel in rows.items() if panel}
    if not filled:
        return None
    vary = [place for place in range(len(next(iter(filled)))) if len({key[place] for key in filled}) > 1]
    panels = {", ".join(key[place] for place in vary): panel for key, panel in filled.items()}
    if len(panels) < len(filled):  # names that hold commas may read alike
        panels = {f"{number + 1}: {', '.join(key)}": panel for number, (key, panel) in enumerate(filled.items())}
    return Figure(name, title, caption, spec(), columns, panels, band)


def _labelled(cells: Sequence[Mapping[str, Any]]) -> Iterable[tuple[Mapping[str, Any], str]]:
    """Each cell with the label of its row: supervisor and method, as far as they tell it from others; two lines."""
    vary = _vary(cells)
    for cell in cells:
        who = names(cell)
        yield cell, "\n".join(" ".join(who[name].split()) for name in vary)


def _vary(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    vary = [name for name in ("weak", "method") if len({display(cell[name]) for cell in cells}) > 1]
    return vary or ["weak", "method"]


def _lines(cells: Sequence[Mapping[str, Any]]) -> int:
    return len(_vary(cells))


def _who(cell: Mapping[str, Any]) -> dict[str, str]:
    who = names(cell)
    return {name: who[name] for name in ("weak", "strong", "method")}


def _key(cell: Mapping[str, Any], *parts: str) -> Key:
    who = names(cell)
    return tuple(who[part] for part in parts)


def _numbers(interval: Mapping[str, Any]) -> dict[str, float | None]:
    return {end: interval[end] for end in ("estimate", "low", "high")}
