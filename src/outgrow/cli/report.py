"""The command that writes a report again, of one run or of several together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgrow.cli.printing import say

if TYPE_CHECKING:
    from outgrow.report.figures.figure import Figure


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, such as runs/demo.")],
    out: Annotated[Path | None, typer.Option("--out", help="The HTML file. [default: RUN/report.html]")] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="A folder for all figures: SVG, PNG, PDF, and their data as CSV.")
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", help="With --figures: the figures to write, such as pgr,accuracy.")
    ] = None,
    width: Annotated[
        float | None, typer.Option("--width", help="With --figures: how wide, in centimetres. [default: 17]")
    ] = None,
) -> None:
    """Write a run's report, or one of several runs together. Nothing is trained."""
    from outgrow.core.errors import UsageError
    from outgrow.report import page
    from outgrow.report.scene import Scene, read

    if len(folders) > 1 and out is None:
        raise UsageError("report: several runs together have no folder of their own; say where with --out report.html")
    if only is not None and figures is None:
        raise UsageError("report: --only is for --figures; say where with --figures DIR")
    if width is not None and figures is None:
        raise UsageError("report: --width is for --figures; say where with --figures DIR")
    if width is not None and not 4 <= width <= 100:
        raise UsageError(f"report: --width {width:g}: a figure is 4 to 100 centimetres wide")
    chosen = _figures(only) if figures is not None else []
    out = out or folders[0] / "report.html"
    if out.is_dir():
        raise UsageError(f"report: {out} is a folder; --out names the HTML file to write")
    runs = read(folders)
    page.write(runs, out)
    say(f"wrote {out}")
    if figures is not None:
        from outgrow.core.files import disk
        from outgrow.report.figure_files import POINTS, WIDTH, write
        from outgrow.report.figures.figure import drawn

        with disk.sentences(figures, "the folder of figures", "--figures"):
            files = write(drawn(chosen, Scene(runs)), figures, WIDTH if width is None else round(width * POINTS))
        say(f"wrote {len(files)} files into {figures}")


def _figures(only: str | None) -> list[Figure]:
    """The figures of these names, between commas, in the report's order; all where none is named."""
    from outgrow.core.errors import UsageError
    from outgrow.core.registry import nearest
    from outgrow.report.figures.catalogue import ALL

    if only is None:
        return list(ALL)
    known = list(dict.fromkeys(figure.name for figure in ALL))
    asked = [name.strip() for name in only.split(",")]
    wrong = [name for name in asked if name not in known]
    if wrong:
        raise UsageError(*(f'report: --only: there is no figure "{name}"{nearest(name, known)}' for name in wrong))
    return [figure for figure in ALL if figure.name in asked]
