"""What the report's charts share, by Altair: one source for the page, SVG, PNG and PDF.

Where a chart has a row a cell, its height is that of one row. `lines`: how many lines the label of a row has.
Every chart reads a table named `rows`, so that one specification serves all panels of a figure. Colours are those of
Okabe & Ito (2008), which colour-blind people can tell apart; shapes say the same again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt


COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7A7A7A"]
SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left"]
ROW = 40  # pixels a row with a label of two lines
LINE = 16  # pixels of one line of such a label
TALL = 280


def rows_with_intervals(
    title: str, series: str, lines: int, *also: str, rule: list[int] | None = None, more: Sequence[str] = ()
) -> dict[str, Any]:
    """One row per cell with a point and an interval for each of its series; `rule`: values marked by a line.

    also: a column that is drawn as a tick. more: columns that the tooltip has.
    """
    alt, rows = start_chart()
    others = [name for name in (series, *also) if name != "method"]
    shown = tooltips(
        "weak", "method", *others, "estimate", "low", "high", *(name for name in more if name not in others)
    )
    label = alt.Axis(
        labelExpr="split(datum.value, '\\n')",
        labelLimit=170,
        labelPadding=8,
        labelOffset=-7 * (lines - 1),  # so that two lines are around the middle
        grid=True,
        gridOpacity=0.5,
        ticks=False,
        domain=False,
    )
    base = rows.encode(y=alt.Y("row:N", sort=None, title=None, axis=label))
    scale = alt.Scale(zero=rule is not None)
    x = alt.X("estimate:Q", title=title, scale=scale, axis=number_axis(".1f" if rule else ".2f"))
    layers = []
    if rule:
        at = alt.Chart(alt.Data(values=[{"at": value} for value in rule]))
        layers.append(at.mark_rule(strokeDash=[3, 3], color="#8a8a8a").encode(x="at:Q"))
    spans = base.mark_rule(strokeWidth=2.5, opacity=0.75)
    layers.append(spans.encode(x=alt.X("low:Q"), x2="high:Q", stroke=line_colour(series), tooltip=shown))
    layers.append(points(base, series, 90).encode(x=x, tooltip=shown))
    if also:
        ticks = base.mark_tick(thickness=1, size=20, opacity=0.9, fillOpacity=0, strokeWidth=2)
        layers.append(ticks.encode(x=alt.X(f"{also[0]}:Q"), stroke=line_colour(series), tooltip=shown))
    return finished(alt.layer(*layers), height=max(ROW, LINE * lines))


def points(base: Any, series: str, size: int) -> Any:
    """Points whose colour and shape both say the series, in one legend: no other layer uses these two channels."""
    import altair as alt

    legend = alt.Legend(orient="bottom", columns=1, title=None, labelLimit=300, symbolLimit=40, symbolOpacity=1)
    return base.mark_point(filled=True, size=size, opacity=1).encode(
        color=alt.Color(f"{series}:N", sort=None, scale=alt.Scale(range=COLOURS), legend=legend),
        shape=alt.Shape(f"{series}:N", sort=None, scale=alt.Scale(range=SHAPES), legend=legend),
    )


def line_colour(series: str) -> Any:
    """The series' colour, for lines."""
    import altair as alt

    return alt.Stroke(f"{series}:N", sort=None, scale=alt.Scale(range=COLOURS), legend=None)


def number_axis(form: str) -> Any:
    """An axis of few numbers, each in full."""
    import altair as alt

    return alt.Axis(format=form, tickCount=6, labelSeparation=6, labelFlush=False)


def start_chart() -> tuple[Any, alt.Chart]:
    """Altair, and a chart of the table `rows`."""
    import altair as alt

    return alt, alt.Chart(alt.NamedData(name="rows"))


def tooltips(*fields: str) -> list[Any]:
    """What a mark says under the pointer."""
    import altair as alt

    numbers = {"estimate", "low", "high", "confidence", "right", "value", "least", "most", "independent", "progress"}
    titles = {
        "weak": "weak supervisor",
        "strong": "strong student",
        "series": "model",
        "independent": "if errors were independent",
        "low": "95% from",
        "high": "95% to",
        "by_seed": "by seed",
    }
    return [
        alt.Tooltip(f"{name}:Q", title=titles.get(name, name), format=".3f")
        if name in numbers or (name == "weak" and "strong" in fields and "series" in fields)
        else alt.Tooltip(
            f"{name}:{'Q' if name in ('predictions', 'seeds', 'parameters') else 'N'}", title=titles.get(name, name)
        )
        for name in fields
    ]


def finished(chart: Any, height: int) -> dict[str, Any]:
    """The specification, in the report's dress."""
    import altair as alt

    font = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    configured = (
        chart.properties(width="container", height=height, autosize=fit)
        .configure(font=font, background="white", aria=False)
        .configure_view(stroke=None)
        .configure_axis(
            labelFontSize=12, titleFontSize=12, titleFontWeight="normal", domainColor="#8a8a8a", gridColor="#e3e6ea"
        )
        .configure_legend(labelFontSize=12)
    )
    spec: dict[str, Any] = configured.to_dict()
    return spec
