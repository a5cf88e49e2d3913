"""Run folders -> one HTML file that stands by itself: what came out, its figures, examples, and how it was made.

All text from data is escaped: in HTML by jinja2, in JSON by `embedded`, in charts by Vega, which draws text as text. The
page's policy lets only the scripts run that it was written with, and lets nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.core.files import disk
from outgrow.report.examples import browsable
from outgrow.report.figures import Figure, Scene, figures, names
from outgrow.report.method_sentences import doings
from outgrow.report.provenance import facts
from outgrow.report.sentences import equivalents
from outgrow.report.summary import summary
from outgrow.report.tables import number, over
from outgrow.results.cells import RunToScore, Scored
from outgrow.results.run_folder import read_run
from outgrow.results.run_results import Results

WORK = "work.json"  # in a run folder: no result, since it differs each time that the same is made
SCRIPTS = ("table.js", "charts.js", "examples.js", "page.js")
NUMBERS = (("weak_accuracy", "weak"), ("student_accuracy", "student"), ("ceiling_accuracy", "ceiling"), ("pgr", "PGR"))
TITLES = {"run": "run", "task": "task", "weak": "weak supervisor", "strong": "strong student", "method": "method"}
MARKS = (2, 3, 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
MOST_CHOICES = 60  # of a filter: more are found by text
WIDEST = (-1.0, 2.0)  # of the PGR scale: an interval beyond would press all others together


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


def read(folders: Sequence[Path]) -> list[ReportedRun]:
    """Run folders, named by their experiments; where two are alike by the folder, and by its whole path.

    Raises OutgrowError where one is no run folder.
    """
    told = []
    for folder in folders:
        reading = read_run(folder)
        written = folder / "experiment.yaml"
        yaml = written.read_text(encoding="utf-8", errors="replace") if written.is_file() else ""
        work = _work(folder / WORK)
        told.append(ReportedRun(_name(yaml, folder), reading.results, reading.asked, reading.scored, yaml, work))
    for other in ([folder.resolve().name for folder in folders], [str(folder) for folder in folders]):
        if len({one.name for one in told}) < len(told):
            told = [replace(one, name=name) for one, name in zip(told, other, strict=True)]
    if len({one.name for one in told}) < len(told):
        raise OutgrowError("report: the same run folder is given twice; give each once")
    return told


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
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # a run folder of an earlier version has none
    return content if isinstance(content, dict) else {}


def scene(runs: Sequence[ReportedRun]) -> Scene:
    """What the figures are drawn from."""
    cells = [{"run": run.name, **cell} for run in runs for cell in run.results.cells]
    return Scene(cells, {run.name: (run.asked, run.scored) for run in runs})


def write(runs: Sequence[ReportedRun], out: Path) -> str:
    """Write the page to `out`, whole or not at all; its text."""
    text = render(runs)
    with disk.sentences(out.parent, "the report", "--out"):
        out.parent.mkdir(parents=True, exist_ok=True)
        new = disk.temporary(out.parent, ".new-")
        try:
            new.write_bytes(text.encode("utf-8", "replace"))
            os.replace(new, out)
        finally:
            new.unlink(missing_ok=True)
    return text


def render(runs: Sequence[ReportedRun], live: Live | None = None, title: str = "") -> str:
    """The page of one run, or of several together; with `live`, one that follows a run that goes on."""
    drawn = scene(runs)
    cells, pending = drawn.cells, live.pending if live else ()
    made = figures(drawn) if cells else []
    shown = browsable(drawn.runs) if cells else None
    scripts = [bundle(), *(_file(name) for name in SCRIPTS)]
    columns, shared = _columns([*(names(cell) for cell in cells), *(one.names for one in pending)])
    accuracies = _scale([cell[key] for cell in cells for key, _ in NUMBERS[:3]], (0.0, 1.0), ())
    shares = _scale([cell["pgr"] for cell in cells], WIDEST, (0.0, 1.0))
    page = _environment().get_template("report.html.j2")
    return str(
        page.render(
            title=title or " + ".join(run.name for run in runs),
            live=live,
            policy=_policy(scripts, live is not None),
            style=_safe(_file("style.css")),
            scripts=[_safe(script) for script in scripts],
            sentences=[_sentence(text) for text in summary(cells, _isolated)],
            columns=columns,
            shared=shared,
            numbers=NUMBERS,
            cells=[_row(cell, accuracies, shares) for cell in cells],
            pending=pending,
            over=f"{over(cells)}." if cells else "",
            scale=[f"{end:.2f}" for end in accuracies],
            figures=made,
            examples=shown is not None,
            controls=_controls(runs),
            doings=[sentence for run in runs for sentence in doings(run.results.runs)],
            worth=[sentence for run in runs for sentence in equivalents(run.results.cells)],
            runs=[facts(run.name, run.results, run.yaml, run.work) for run in runs],
            data=_safe(embedded({"figures": [_figure(figure) for figure in made], "examples": shown})),
            version=version("outgrow"),
        )
    )


def embedded(value: Any) -> str:
    """JSON that can stand in a script tag: no character of it ends the tag, or a line, or is a sign of HTML."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@cache
def bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script that defines `vegaEmbed`; kept in the user's cache, it takes a second."""
    import vl_convert
    from platformdirs import user_cache_path

    kept = user_cache_path("outgrow") / f"charts-{version('vl-convert-python')}.js"
    try:
        text, _, mark = kept.read_text(encoding="utf-8").rpartition("\n// ")
        if mark == hashlib.sha256(text.encode()).hexdigest():
            return text
    except (OSError, UnicodeDecodeError):
        pass
    text = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", r"<\/script")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        new = disk.temporary(kept.parent, ".charts-")
        new.write_text(f"{text}\n// {hashlib.sha256(text.encode()).hexdigest()}", encoding="utf-8")
        os.replace(new, kept)
    except OSError:
        pass  # a home that cannot be written: it takes its second again
    return text


def _isolated(name: str) -> str:
    """A name between marks that become a <bdi>: one written from right to left must not turn its sentence around.

    Without its own marks of direction, one too many of which would end the <bdi>'s.
    """
    return f"\x02{name.translate(dict.fromkeys(MARKS))}\x03"


def _sentence(text: str) -> Any:
    from markupsafe import escape

    return _safe(str(escape(text)).replace("\x02", "<bdi>").replace("\x03", "</bdi>"))


def _controls(runs: Sequence[ReportedRun]) -> list[Mapping[str, Any]]:
    """All runs' controls, those that failed first."""
    held = [control for run in runs for control in run.results.controls]
    return sorted(
        held, key=lambda control: ("failed", "noticed").index(control["status"]) if control["status"] != "ok" else 2
    )


def _row(cell: Mapping[str, Any], accuracies: tuple[float, float], shares: tuple[float, float]) -> dict[str, Any]:
    weak, student, ceiling, pgr = (cell[key] for key, _ in NUMBERS)
    gap = None
    if student["estimate"] is not None:
        at = [_at(model["estimate"], accuracies) for model in (weak, ceiling) if model["estimate"] is not None]
        gap = {"ends": at, "line": at if len(at) == 2 else None, **_mark(student, accuracies)}
    share = None
    if pgr["estimate"] is not None:
        share = {"zero": _at(0.0, shares), "one": _at(1.0, shares), **_mark(pgr, shares)}
    numbers = {title.lower(): _number(cell[key]) for key, title in NUMBERS}
    return {"names": names(cell), **numbers, "gap": gap, "share": share}


def _number(interval: Mapping[str, Any]) -> dict[str, Any]:
    text = number(interval)
    estimate, _, ends = text.partition(" ")
    return {
        **interval,
        "text": text,
        "estimate_text": estimate,
        "ends": ends if interval["estimate"] is not None else "",
    }


def _mark(interval: Mapping[str, Any], scale: tuple[float, float]) -> dict[str, Any]:
    known = interval["low"] is not None and interval["high"] is not None
    span = [_at(interval["low"], scale), _at(interval["high"], scale)] if known else None
    return {"dot": _at(interval["estimate"], scale), "span": span}


def _at(value: float, scale: tuple[float, float]) -> str:
    low, high = scale
    return f"{100 * (min(max(value, low), high) - low) / (high - low):.2f}"


def _scale(
    intervals: Sequence[Mapping[str, Any]], limits: tuple[float, float], holds: Sequence[float]
) -> tuple[float, float]:
    """The common scale of a column's bars: all that there is, within `limits`."""
    ends = [found[end] for found in intervals for end in ("estimate", "low", "high") if found[end] is not None]
    low, high = min([*ends, *holds], default=limits[0]), max([*ends, *holds], default=limits[1])
    low, high = max(low, limits[0]), min(high, limits[1])
    return (low, high) if high > low else limits


def _columns(rows: Sequence[Mapping[str, str]]) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The names that tell cells apart, each a column, with what a filter offers; and those that all cells share."""
    columns, shared = [], []
    for name, title in TITLES.items():
        values = list(dict.fromkeys(row[name] for row in rows))
        if len(values) > 1:
            columns.append({"name": name, "title": title, "choices": values if len(values) <= MOST_CHOICES else []})
        elif values and values[0] and name != "run":
            shared.append((title, values[0]))
    return columns, shared


def _figure(figure: Figure) -> dict[str, Any]:
    panels = [
        {"name": panel, "rows": [[row.get(name) for name in figure.columns] for row in rows]}
        for panel, rows in figure.panels.items()
    ]
    return {"name": figure.name, "spec": figure.spec, "columns": figure.columns, "band": figure.band, "panels": panels}


def _policy(scripts: Sequence[str], live: bool) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    parts = [
        "default-src 'none'",
        "script-src " + " ".join(f"'sha256-{one}'" for one in hashes),
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        *(["connect-src 'self'"] if live else []),
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(parts)


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = str(files("outgrow") / "report" / "parts")
    loader = FileSystemLoader(folder)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _safe(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)


def _file(name: str) -> str:
    return (files("outgrow") / "report" / "parts" / name).read_text(encoding="utf-8")
