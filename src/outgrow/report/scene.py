"""What a report is written from: one run or several, read from their folders or still going on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.core.files.json_file import parse_json
from outgrow.core.files.sums import check_sums
from outgrow.core.text.entry_names import display
from outgrow.results.between_runs import pairing
from outgrow.results.cells import RunToScore, Scored
from outgrow.results.compare import Comparison, compare, reference
from outgrow.results.run_content import AGAIN, NOT_WHOLE
from outgrow.results.run_folder import Reading, read_run
from outgrow.results.run_results import Results

WORK = "work.json"  # in a run folder, beside the results: it differs each time that the same is made
COMPARED = ("method", "strong", "weak")  # the first of these that a run has several of
MOST_COMPARISONS = 300  # of a run: where every reference would give more, the usual one alone is taken
MOST_OF_SEEDS = 5_000  # runs whose values the figures hold one by one
NAMES = ("run", "task", "test_set", "weak", "strong", "method")


@dataclass(frozen=True)
class ReportedRun:
    """A run as the report needs it: its name, results, the runs behind them with all predictions, and its YAML."""

    name: str
    results: Results
    asked: Sequence[RunToScore]
    scored: Scored
    yaml: str = ""
    work: Mapping[str, float] = field(default_factory=dict)  # what all steps behind it took: steps, seconds, flops


@dataclass(frozen=True)
class Pending:
    """A cell of which not all seeds are done."""

    names: Mapping[str, str]
    done: int
    seeds: int


@dataclass(frozen=True)
class Live:
    """A run that goes on: its steps, and the cells that are still to come."""

    done: int
    total: int
    pending: Sequence[Pending] = ()


@dataclass(frozen=True)
class Scene:
    """All that figures and sections show: runs and, while one goes on, how far it is."""

    runs: Sequence[ReportedRun]
    live: Live | None = None

    @cached_property
    def cells(self) -> Sequence[Mapping[str, Any]]:
        """The cells of all runs, each with the name of its `run`, and its runs as `of_seeds`, one a seed."""
        found: list[Mapping[str, Any]] = []
        for run in self.runs:
            seeds: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
            for row in run.results.runs:
                seeds.setdefault(tuple(names(row).values()), []).append(row)
            found.extend(
                {"run": run.name, **cell, "of_seeds": seeds.get(tuple(names(cell).values()), [])}
                for cell in run.results.cells
            )
        return found

    @cached_property
    def tells_seeds(self) -> bool:
        """Whether figures hold each seed's values: there are several, and few enough for the page."""
        values = [len(cell["of_seeds"]) for cell in self.cells]
        return max(values, default=0) > 1 and sum(values) <= MOST_OF_SEEDS

    @cached_property
    def comparisons(self) -> Mapping[str, Sequence[Comparison]]:
        """By the run's name: its methods against one of them, the usual reference first, then each other.

        Students or supervisors where it has one method; nothing where it has one of all, and while a run goes on.
        """
        found = {} if self.live else {run.name: _comparisons(run) for run in self.runs}
        return {name: made for name, made in found.items() if made}

    @cached_property
    def overlaid(self) -> Sequence[Mapping[str, Any]]:
        """The cells, those that several runs share beside one another."""
        places: dict[tuple[str, ...], int] = {}
        keys = [(cell["test_set"], *(display(cell[axis]) for axis in self.paired_by)) for cell in self.cells]
        for key in keys:
            places.setdefault(key, len(places))
        order = sorted(range(len(keys)), key=lambda place: places[keys[place]])
        return [self.cells[place] for place in order]

    @cached_property
    def paired_by(self) -> Sequence[str]:
        """The axes by which cells of several runs are paired."""
        return pairing([run.asked for run in self.runs])

    @property
    def pending(self) -> Sequence[Pending]:
        """The cells that are not finished."""
        return self.live.pending if self.live else ()


def _comparisons(run: ReportedRun) -> Sequence[Comparison]:
    values = {axis: list(dict.fromkeys(getattr(one, axis).name for one in run.asked)) for axis in COMPARED}
    by = next((axis for axis in COMPARED if len(values[axis]) > 1), None)
    if by is None or any(run.scored.hard(one.models["student"]) is None for one in run.asked):
        return []
    reading = Reading(run.results, run.asked, run.scored)
    first = compare(reading, by, reference(reading, by))
    others = [value for value in values[by] if value != first.against]
    if len(first.rows) * len(others) > MOST_COMPARISONS:
        others = []
    return [one for one in [first, *(compare(reading, by, value) for value in others)] if one.rows]


def names(cell: Mapping[str, Any]) -> dict[str, str]:
    """A cell's names as people read them."""
    return {"run": str(cell.get("run", "")), **{name: display(cell[name]) for name in NAMES[1:]}}


def read(folders: Sequence[Path]) -> list[ReportedRun]:
    """Run folders, named by their experiments; where two names are equal by the folder, and by its whole path.

    Raises OutgrowError where one is not a run folder.
    """
    runs = []
    for folder in folders:
        reading = read_run(folder)
        check_sums(folder, ("experiment.yaml", WORK), NOT_WHOLE, AGAIN)
        written = folder / "experiment.yaml"
        yaml = written.read_text(encoding="utf-8", errors="replace") if written.is_file() else ""
        work = _work(folder / WORK)
        runs.append(ReportedRun(_name(yaml, folder), reading.results, reading.asked, reading.scored, yaml, work))
    for other in ([folder.resolve().name for folder in folders], [str(folder) for folder in folders]):
        if len({run.name for run in runs}) < len(runs):
            runs = [replace(run, name=name) for run, name in zip(runs, other, strict=True)]
    if len({run.name for run in runs}) < len(runs):
        raise OutgrowError("report: the same run folder is given twice; give each once")
    return runs


def _name(text: str, folder: Path) -> str:
    """The experiment's name, or the folder's where its YAML has none."""
    import yaml

    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        content = None
    name = content.get("name") if isinstance(content, dict) else None
    return name if isinstance(name, str) and name else folder.resolve().name


def _work(path: Path) -> Mapping[str, float]:
    try:
        content = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return {}  # a run folder of an earlier version has none
    values = content if isinstance(content, dict) else {}
    known = {name: values[name] for name in ("steps", "seconds", "flops") if name in values}
    right = all(isinstance(value, int | float) and 0 <= value < float("inf") for value in known.values())
    return known if right and {"seconds", "flops"} <= set(known) else {}
