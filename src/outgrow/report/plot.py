"""Figures of the report in a notebook."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.registry import nearest
from outgrow.report.figure_files import specification
from outgrow.report.figures.catalogue import ALL
from outgrow.report.figures.figure import drawn
from outgrow.report.scene import Scene, read
from outgrow.results.run_results import Results

if TYPE_CHECKING:
    import altair as alt


def plot(results: Results, kind: str = "pgr", width: int = 480) -> alt.Chart | alt.VConcatChart:
    """A figure of the report as an Altair chart: one panel, or several beneath one another, `width` pixels wide.

    kind: accuracy, pgr, pgr_weak_strong, agreement, calibration or learning_curves; paper or tasks, which stand alone.
    Raises UsageError for another, and OutgrowError where these results belong to no run folder or have nothing to show
    in it.
    """
    import altair as alt

    names = list(dict.fromkeys(figure.name for figure in ALL))
    if kind not in names:
        raise UsageError(f'plot: there is no figure "{kind}"{nearest(kind, names)}')
    if results.folder is None:
        raise OutgrowError("plot: these results belong to no run folder; read one by Results.read(folder)")
    made = drawn([figure for figure in ALL if figure.name == kind], Scene(read([results.folder])))
    if not made:
        raise OutgrowError(f"plot: there is nothing to show in {kind}")
    (figure,) = made
    specs = [deepcopy(specification(figure, panel, width)) for panel in figure.panels]
    if len(specs) == 1:
        return alt.Chart.from_dict(specs[0])
    inner = [
        {name: value for name, value in spec.items() if name not in ("config", "datasets", "autosize")}
        for spec in specs
    ]
    datasets = {f"rows{place}": spec["datasets"]["rows"] for place, spec in enumerate(specs)}
    for place, spec in enumerate(inner):
        _read_from(spec, f"rows{place}")
    whole = {"$schema": specs[0]["$schema"], "config": specs[0]["config"], "datasets": datasets, "vconcat": inner}
    for spec in inner:
        spec.pop("$schema", None)
    return alt.VConcatChart.from_dict(whole)


def _read_from(spec: Any, name: str) -> None:
    """Let every layer of a specification read the table of this name in place of `rows`."""
    if isinstance(spec, dict):
        if spec.get("data") == {"name": "rows"}:
            spec["data"] = {"name": name}
        for value in spec.values():
            _read_from(value, name)
    elif isinstance(spec, list):
        for value in spec:
            _read_from(value, name)
