"""The command that writes a report again, of one run or of several together."""

from pathlib import Path
from typing import Annotated

import typer

from outgrow.cli.printing import say


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, such as runs/demo.")],
    out: Annotated[Path | None, typer.Option("--out", help="The HTML file. [default: RUN/report.html]")] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="A folder for figures: SVG, PNG, PDF, and their data as CSV.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option("--only", help="With --figures: which, such as pgr,accuracy, or all. [default: the usual few]"),
    ] = None,
    width: Annotated[
        str | None, typer.Option("--width", help="With --figures: how wide, as 8.5cm, 85mm or 3.3in. [default: 17cm]")
    ] = None,
) -> None:
    """Write a run's report, or one of several runs together. Nothing is trained."""
    from outgrow.core.errors import UsageError
    from outgrow.core.text.units import centimetres
    from outgrow.report import page
    from outgrow.report.figures.choice import chosen, named
    from outgrow.report.scene import Scene, read

    if len(folders) > 1 and out is None:
        raise UsageError("report: several runs together have no folder of their own; say where with --out report.html")
    if only is not None and figures is None:
        raise UsageError("report: --only is for --figures; say where with --figures DIR")
    if width is not None and figures is None:
        raise UsageError("report: --width is for --figures; say where with --figures DIR")
    wide = None if width is None else centimetres(width)
    if wide is not None and not 4 <= wide <= 100:
        raise UsageError(f"report: --width {width}: a figure is 4 to 100 centimetres wide")
    asked = named(only)
    out = out or folders[0] / "report.html"
    if out.is_dir():
        raise UsageError(f"report: {out} is a folder; --out names the HTML file to write")
    runs = read(folders)
    page.write(runs, out)
    say(f"wrote {out}")
    if figures is not None:
        from outgrow.core.files import disk
        from outgrow.report.figure_files import POINTS, WIDTH, write

        choice = chosen(asked, Scene(runs))
        with disk.sentences(figures, "the folder of figures", "--figures"):
            files = write(choice.figures, figures, WIDTH if wide is None else round(wide * POINTS))
        say(f"wrote {len(files)} files into {figures}")
        if text := choice.described():
            say(text)
