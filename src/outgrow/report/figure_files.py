"""Figures as files: every panel as SVG, PNG and PDF, and its rows as CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outgrow.core.files import disk
from outgrow.core.files.spreadsheet import harmless
from outgrow.report.figures.figure import Drawn

VEGA_LITE = "6.4"  # the one that altair 6.3 writes


def specification(figure: Drawn, panel: str, **more: Any) -> dict[str, Any]:
    """The whole Vega-Lite specification of one panel, its rows inside."""
    rows = [{name: row.get(name) for name in figure.columns} for row in figure.panels[panel]]
    height = figure.spec["height"] * (len({row[figure.band] for row in rows}) if figure.band else 1)
    return {**figure.spec, "height": height, "datasets": {"rows": rows}, **more}


def write(made: Sequence[Drawn], folder: Path) -> list[Path]:
    """Every panel as SVG, PNG, PDF and CSV in `folder`; the files."""
    import vl_convert

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for figure in made:
        taken: set[str] = set()
        for panel in figure.panels:
            stem = _stem(figure.name, panel, taken)
            title = f"{figure.figure.title}: {panel}" if panel else figure.figure.title
            spec = json.dumps(specification(figure, panel, width=480, title={"text": title, "anchor": "start"}))
            images: dict[str, bytes] = {
                "svg": vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE).encode(),
                "png": vl_convert.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=2),
                "pdf": vl_convert.vegalite_to_pdf(spec, vl_version=VEGA_LITE),
                "csv": table(figure, panel).encode(),
            }
            for ending, content in images.items():
                files.append(folder / f"{stem}.{ending}")
                with disk.replacing(files[-1]) as new:
                    new.write_bytes(content)
    return files


def table(figure: Drawn, panel: str) -> str:
    """A panel's rows as CSV. A text that a spreadsheet would take for a formula starts with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(figure.columns)
    for row in figure.panels[panel]:
        writer.writerow([harmless(row.get(name)) for name in figure.columns])
    return out.getvalue()


def _stem(name: str, panel: str, taken: set[str]) -> str:
    stem = f"{name}-{re.sub(r'[^A-Za-z0-9.=_-]+', '-', panel)[:80].strip('-.')}".strip("-") if panel else name
    number = 2
    while stem.lower() in taken:
        stem = f"{stem}-{number}"
        number += 1
    taken.add(stem.lower())
    return stem
