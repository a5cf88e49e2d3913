"""Figures as files: every panel as SVG, PNG and PDF, its rows as CSV, and its caption."""

from __future__ import annotations

import csv
import io
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from outgrow.core.files import disk
from outgrow.core.files.spreadsheet import harmless
from outgrow.report.figures.figure import Drawn

VEGA_LITE = "6.4"  # the one that altair 6.3 writes
WIDTH = 480  # pixels in SVG, points in PDF
LETTER, SYMBOL = 8, 90  # pixels of a letter of the title, and beside a legend's labels
NARROWEST, AXIS, GUTTER = 110, 40, 14  # of a panel among others, of the axis at their left, between two
POINTS = 72 / 2.54  # a centimetre


def specification(figure: Drawn, panel: str, width: int) -> dict[str, Any]:
    """The whole Vega-Lite specification of one panel, its rows inside, `width` pixels wide with its title above."""
    rows = [{name: row.get(name) for name in figure.columns} for row in figure.panels[panel]]
    found = {**_narrowed(figure.spec, width), "datasets": {"rows": rows}, "title": title_of(figure.title(panel), width)}
    if "facet" in found:
        columns = min(found["columns"], max(1, width // NARROWEST))
        inner = {**found["spec"], "width": (width - AXIS) // columns - GUTTER}
        return {**found, "columns": columns, "spec": inner}
    height = figure.spec["height"] * (len({row[figure.band] for row in rows}) if figure.band else 1)
    return {**found, "height": height, "width": width}


def _narrowed(part: Any, width: int) -> Any:
    """A specification whose legends are no wider than the figure."""
    if isinstance(part, Mapping):
        found = {name: _narrowed(value, width) for name, value in part.items()}
        if "symbolLimit" in found and "labelLimit" in found:
            found["labelLimit"] = min(found["labelLimit"], width - SYMBOL)
        return found
    return [_narrowed(value, width) for value in part] if isinstance(part, list) else part


def title_of(text: str, width: int) -> dict[str, Any]:
    """A title in as many lines as its figure is wide enough for."""
    lines = textwrap.wrap(text, max(12, width // LETTER), break_long_words=False)
    return {"text": lines, "anchor": "start", "limit": 0, "fontSize": 13}


def write(made: Sequence[Drawn], folder: Path, width: int = WIDTH) -> list[Path]:
    """Every panel as SVG, PNG, PDF, CSV and a caption in `folder`, `width` points wide; the files."""
    import vl_convert

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for figure in made:
        taken: set[str] = set()
        for panel in figure.panels:
            stem = _stem(figure.name, panel, taken)
            spec = json.dumps(specification(figure, panel, width))
            written: dict[str, bytes] = {
                "svg": vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE).encode(),
                "png": vl_convert.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=2),
                "pdf": vl_convert.vegalite_to_pdf(spec, vl_version=VEGA_LITE),
                "csv": table(figure, panel).encode(),
                "txt": f"{figure.title(panel)}. {figure.figure.caption}\n".encode(),
            }
            for ending, content in written.items():
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
