"""The command that writes a report again, of one run or of several together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outgrow.cli.printing import say


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, such as runs/demo.")],
    out: Annotated[Path | None, typer.Option("--out", help="The HTML file. [default: RUN/report.html]")] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="A folder for all figures: SVG, PNG, PDF, and their data as CSV.")
    ] = None,
) -> None:
    """Write a run's report, or one of several runs together. Nothing is trained."""
    from outgrow.core.errors import UsageError
    from outgrow.report import page
    from outgrow.report.scene import Scene, read

    if len(folders) > 1 and out is None:
        raise UsageError("report: several runs together have no folder of their own; say where with --out report.html")
    out = out or folders[0] / "report.html"
    if out.is_dir():
        raise UsageError(f"report: {out} is a folder; --out names the HTML file to write")
    runs = read(folders)
    page.write(runs, out)
    say(f"wrote {out}")
    if figures is not None:
        from outgrow.core.files import disk
        from outgrow.report.figure_files import write
        from outgrow.report.figures.catalogue import FIGURES
        from outgrow.report.figures.figure import drawn

        with disk.sentences(figures, "the folder of figures", "--figures"):
            files = write(drawn(FIGURES, Scene(runs)), figures)
        say(f"wrote {len(files)} files into {figures}")
