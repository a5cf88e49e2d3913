"""The contract of a figure, and what figures share: keys of panels, labels of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.core.text.entry_names import display
from outgrow.report.figures.one_scale import on_one_scale
from outgrow.report.scene import Scene, names
from outgrow.report.tables.cell_tables import short

BY_SEED = "by_seed"
Row = Mapping[str, Any]
Key = tuple[str, ...]
Rows = Mapping[Key, Sequence[Row]]


@dataclass(frozen=True)
class Figure:
    """One figure: the rows that it shows of a scene, and the chart that draws them.

    rows: the rows of each panel, which is known by the names that may tell it from the others; none where there is nothing
    to show. columns: what of a row is drawn, tabulated and saved. chart: a Vega-Lite specification that reads a table named
    `rows`. band: the column whose distinct values are the chart's rows: the specification's height is that of one.
    one_scale: whether its panels show one quantity, and have axes alike. limits: how far these go for ends of intervals.
    """

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: Callable[[Scene], Rows]
    chart: Callable[[Scene], Mapping[str, Any]]
    band: str | None = None
    one_scale: bool = True
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Drawn:
    """A figure of one scene: its specification, and the rows of each panel by the panel's name."""

    figure: Figure
    spec: Mapping[str, Any]
    panels: Mapping[str, Sequence[Row]]
    columns: Sequence[str]  # those of the figure's that its rows have

    @property
    def name(self) -> str:
        """The figure's."""
        return self.figure.name

    def title(self, panel: str) -> str:
        """The figure's title, with the panel's name where it has several."""
        return f"{self.figure.title}: {panel}" if panel else self.figure.title

    @property
    def band(self) -> str | None:
        """The figure's."""
        return self.figure.band


def drawn(figures: Sequence[Figure], scene: Scene) -> list[Drawn]:
    """Those of the figures that have something to show."""
    made = []
    for figure in figures:
        filled = {key: panel for key, panel in figure.rows(scene).items() if panel}
        if filled:
            there = {name for panel in filled.values() for row in panel for name in row}
            columns = [name for name in figure.columns if name in there]
            panels, spec = _named(filled), figure.chart(scene)
            if len(panels) > 1 and figure.one_scale:
                spec = on_one_scale(spec, panels, figure.limits)
            made.append(Drawn(figure, spec, panels, columns))
    return made


def _named(filled: Rows) -> dict[str, Sequence[Row]]:
    """Each panel by the names that tell it from the others."""
    vary = [place for place in range(len(next(iter(filled)))) if len({key[place] for key in filled}) > 1]
    panels = {", ".join(key[place] for place in vary): panel for key, panel in filled.items()}
    if len(panels) < len(filled):  # names that hold commas may read alike
        panels = {f"{number + 1}: {', '.join(key)}": panel for number, (key, panel) in enumerate(filled.items())}
    return panels


def labelled(scene: Scene) -> Iterable[tuple[Mapping[str, Any], str]]:
    """Each cell with the label of its row: supervisor, method and run, as far as they tell it from others; a line each.

    Cells that several runs share are beside one another.
    """
    vary = _vary(scene)
    for cell in scene.overlaid:
        found = names(cell)
        yield cell, "\n".join(" ".join(found[name].split()) for name in vary)


def _vary(scene: Scene) -> list[str]:
    vary = [name for name in ("weak", "method") if len({display(cell[name]) for cell in scene.cells}) > 1]
    return [*vary, "run"] if len(scene.runs) > 1 else vary or ["weak", "method"]


def label_lines(scene: Scene) -> int:
    """How many lines `labelled` gives a row's label."""
    return len(_vary(scene))


def run_of(scene: Scene, cell: Mapping[str, Any]) -> dict[str, str]:
    """The name of a cell's run as a column, where there are several."""
    return {"run": names(cell)["run"]} if len(scene.runs) > 1 else {}


def models(cell: Mapping[str, Any]) -> dict[str, str]:
    """The names of its supervisor, student and method."""
    found = names(cell)
    return {name: found[name] for name in ("weak", "strong", "method")}


def panel_key(cell: Mapping[str, Any], *parts: str) -> Key:
    """The panel that a cell is drawn in."""
    found = names(cell)
    return tuple(found[part] for part in parts)


def ends(interval: Mapping[str, Any]) -> dict[str, float | None]:
    """An interval's estimate and ends."""
    return {end: interval[end] for end in ("estimate", "low", "high")}


def measured(scene: Scene, cell: Mapping[str, Any], key: str) -> Row:
    """An interval of a cell, and where it is shown its number at each seed as a column of text, – where that is undefined."""
    if not scene.tells_seeds:
        return ends(cell[key])
    values = [row.get(key) for row in cell["of_seeds"]]
    return {**ends(cell[key]), BY_SEED: ", ".join("–" if value is None else short(value) for value in values)}


def more_columns(scene: Scene) -> list[str]:
    """The columns that `run_of` and `measured` make, where they make one."""
    return [*(["run"] if len(scene.runs) > 1 else []), *([BY_SEED] if scene.tells_seeds else [])]
