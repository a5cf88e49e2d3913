"""The report's charts, by Altair: one source for the page, SVG, PNG and PDF. Only forms; figures.py has the rows.

Where a chart has a row a cell, its height is that of one row. `lines`: how many lines the label of a row has.
Every chart reads a table named `rows`, so that one specification serves all panels of a figure. Colours are those of
Okabe & Ito (2008), which colour-blind people can tell apart; shapes say the same again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt


COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7A7A7A"]
SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left"]
ROW = 40  # pixels a row with a label of two lines
TALL = 280


def accuracy_by_student() -> dict[str, Any]:
    """Accuracy against the student, in the ladder's order: a line a supervisor, its own accuracy dashed, truth above."""
    alt, rows = _start()
    base = rows.encode(
        x=alt.X("strong:N", sort=None, title="strong student", axis=alt.Axis(labelAngle=-25, labelLimit=140))
    )
    y = alt.Y("estimate:Q", title="accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format=".2f"))
    tips = _tips("strong", "series", "estimate", "low", "high", "weak")
    line = _line("series")
    return _finish(
        alt.layer(
            base.mark_line(strokeDash=[4, 4], strokeWidth=1.2, opacity=0.8).encode(y=alt.Y("weak:Q"), stroke=line),
            base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(
                y=alt.Y("low:Q"), y2="high:Q", stroke=line, tooltip=tips
            ),
            base.mark_line(strokeWidth=2).encode(y=y, stroke=line),
            _points(base, "series", 70).encode(y=y, tooltip=tips),
        ),
        height=TALL,
    )


def accuracies(lines: int) -> dict[str, Any]:
    """One row a cell: supervisor, student and ceiling on one scale, each with its interval."""
    return _rows_with_intervals("accuracy", "role", lines)


def recovery(lines: int) -> dict[str, Any]:
    """One row a cell: PGR with its interval; lines at 0, the supervisor, and 1, the ceiling."""
    return _rows_with_intervals("performance gap recovered", "method", lines, rule=[0, 1])


def mistakes(lines: int) -> dict[str, Any]:
    """One row a cell: the shares of the supervisor's mistakes that the student copies and corrects."""
    return _rows_with_intervals("share of its mistakes", "outcome", lines, "independent")


def heat() -> dict[str, Any]:
    """PGR, weak x strong. An undefined cell is grey and says why."""
    alt, rows = _start()
    base = rows.encode(
        x=alt.X("strong:N", sort=None, title="strong student", axis=alt.Axis(labelAngle=-25, labelLimit=140)),
        y=alt.Y("weak:N", sort=None, title=None, axis=alt.Axis(labelLimit=170)),
        tooltip=_tips("weak", "strong", "estimate", "low", "high", "status"),
    )
    known = "isValid(datum.estimate)"
    scale = alt.Scale(scheme="cividis", domain=[0, 1], clamp=True)
    colour = alt.Color("estimate:Q", title="PGR", scale=scale, legend=alt.Legend(orient="bottom", format=".1f"))
    text = alt.condition("datum.estimate > 0.55", alt.value("#14161a"), alt.value("#ffffff"))
    return _finish(
        alt.layer(
            base.transform_filter(f"!{known}").mark_rect(color="#9a9a9a", opacity=0.35),
            base.transform_filter(known).mark_rect(stroke="#ffffff", strokeWidth=1).encode(color=colour),
            base.transform_filter(known)
            .mark_text(fontSize=12)
            .encode(text=alt.Text("estimate:Q", format=".2f"), color=text),
            base.transform_filter(f"!{known}").mark_text(fontSize=12).encode(text=alt.value("–")),
        ),
        height=34,
    )


def calibration() -> dict[str, Any]:
    """How often each model is right against how sure it is; on the diagonal it is calibrated."""
    alt, rows = _start()
    scale = alt.Scale(zero=False, nice=True)
    base = rows.encode(
        x=alt.X("confidence:Q", scale=scale, axis=_axis(".2f"), title="mean probability of what it says"),
        y=alt.Y("right:Q", scale=scale, axis=alt.Axis(format=".2f"), title="share that is right"),
    )
    diagonal = rows.mark_line(strokeDash=[3, 3], color="#8a8a8a", strokeWidth=1).encode(
        x=alt.X("confidence:Q"), y=alt.Y("confidence:Q")
    )
    return _finish(
        alt.layer(
            diagonal,
            base.mark_line(strokeWidth=1.6).encode(stroke=_line("series")),
            _points(base, "series", 50).encode(tooltip=_tips("series", "confidence", "right", "predictions")),
        ),
        height=TALL,
    )


def learning() -> dict[str, Any]:
    """A finetuned model's curve: what it reaches as training goes on, the seeds' mean with their range."""
    alt, rows = _start()
    base = rows.encode(x=alt.X("progress:Q", title="share of training", axis=_axis("%")))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(format=".2f"))
    tips = _tips("series", "progress", "value", "least", "most", "seeds")
    return _finish(
        alt.layer(
            base.mark_rule(strokeWidth=1.5, opacity=0.35).encode(
                y=alt.Y("least:Q"), y2="most:Q", stroke=_line("series")
            ),
            base.mark_line(strokeWidth=2).encode(y=y, stroke=_line("series")),
            _points(base, "series", 40).encode(y=y, tooltip=tips),
        ),
        height=TALL,
    )


def _rows_with_intervals(
    title: str, series: str, lines: int, *also: str, rule: list[int] | None = None
) -> dict[str, Any]:
    alt, rows = _start()
    tips = _tips("weak", "method", *(name for name in (series, *also) if name != "method"), "estimate", "low", "high")
    label = alt.Axis(
        labelExpr="split(datum.value, '\\n')",
        labelLimit=170,
        labelPadding=8,
        labelOffset=-7 * (lines - 1),  # so that two lines stand around the middle
        grid=True,
        gridOpacity=0.5,
        ticks=False,
        domain=False,
    )
    base = rows.encode(y=alt.Y("row:N", sort=None, title=None, axis=label))
    scale = alt.Scale(zero=rule is not None)
    x = alt.X("estimate:Q", title=title, scale=scale, axis=_axis(".1f" if rule else ".2f"))
    layers = []
    if rule:
        at = alt.Chart(alt.Data(values=[{"at": value} for value in rule]))
        layers.append(at.mark_rule(strokeDash=[3, 3], color="#8a8a8a").encode(x="at:Q"))
    spans = base.mark_rule(strokeWidth=2.5, opacity=0.75)
    layers.append(spans.encode(x=alt.X("low:Q"), x2="high:Q", stroke=_line(series), tooltip=tips))
    layers.append(_points(base, series, 90).encode(x=x, tooltip=tips))
    if also:
        ticks = base.mark_tick(thickness=1, size=20, opacity=0.9, fillOpacity=0, strokeWidth=2)
        layers.append(ticks.encode(x=alt.X(f"{also[0]}:Q"), stroke=_line(series), tooltip=tips))
    return _finish(alt.layer(*layers), height=ROW)


def _points(base: Any, series: str, size: int) -> Any:
    """Points whose colour and shape both say the series, in one legend: no other layer uses these two channels."""
    import altair as alt

    legend = alt.Legend(orient="bottom", columns=1, title=None, labelLimit=300, symbolLimit=40, symbolOpacity=1)
    return base.mark_point(filled=True, size=size, opacity=1).encode(
        color=alt.Color(f"{series}:N", sort=None, scale=alt.Scale(range=COLOURS), legend=legend),
        shape=alt.Shape(f"{series}:N", sort=None, scale=alt.Scale(range=SHAPES), legend=legend),
    )


def _line(series: str) -> Any:
    """The series' colour for lines."""
    import altair as alt

    return alt.Stroke(f"{series}:N", sort=None, scale=alt.Scale(range=COLOURS), legend=None)


def _axis(form: str) -> Any:
    import altair as alt

    return alt.Axis(format=form, tickCount=6, labelSeparation=6, labelFlush=False)


def _start() -> tuple[Any, alt.Chart]:
    import altair as alt

    return alt, alt.Chart(alt.NamedData(name="rows"))


def _tips(*fields: str) -> list[Any]:
    import altair as alt

    numbers = {"estimate", "low", "high", "confidence", "right", "value", "least", "most", "independent", "progress"}
    titles = {
        "weak": "weak supervisor",
        "strong": "strong student",
        "series": "model",
        "independent": "if errors were independent",
        "low": "95% from",
        "high": "95% to",
    }
    return [
        alt.Tooltip(f"{name}:Q", title=titles.get(name, name), format=".3f")
        if name in numbers or (name == "weak" and "strong" in fields and "series" in fields)
        else alt.Tooltip(f"{name}:{'Q' if name in ('predictions', 'seeds') else 'N'}", title=titles.get(name, name))
        for name in fields
    ]


def _finish(chart: Any, height: int) -> dict[str, Any]:
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
