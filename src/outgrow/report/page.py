"""Runs -> one HTML file that needs no other: the sections of `sections/catalogue.py`, in their order.

All text from data is escaped: in HTML by jinja2, in JSON by `embedded`, in charts by Vega, which draws text as text. The
page's policy lets only the scripts run that it was written with, and lets nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.core.files import disk
from outgrow.report.markup import embedded, safe
from outgrow.report.scene import Live, ReportedRun, Scene
from outgrow.report.section import PARTS, Section
from outgrow.report.sections.catalogue import SECTIONS
from outgrow.report.vega import bundle


def write(runs: Sequence[ReportedRun], out: Path) -> str:
    """Write the page to `out`, whole or not at all; its text. Raises OutgrowError if it cannot be drawn or written."""
    try:
        text = render(runs)
    except ImportError as error:
        raise OutgrowError(
            f"{out}: this report was not written, since a library that draws it cannot be loaded "
            f"({' '.join(str(error).split())}); all results are in place: repair the installation (pip install "
            f"--force-reinstall altair vl-convert-python jinja2), then give: outgrow report {out.parent}"
        ) from error
    except AttributeError as error:
        if sys.flags.optimize < 2:
            raise
        raise OutgrowError(
            f"{out}: this report was not written, since altair, which draws it, needs the docstrings that Python leaves out "
            "with PYTHONOPTIMIZE=2 or -OO; all results are in place: unset that, then give: outgrow report "
            f"{out.parent}"
        ) from error
    with disk.sentences(out.parent, "the report", "--out"), disk.replacing(out) as new:
        new.write_bytes(text.encode("utf-8", "replace"))
    return text


def render(
    runs: Sequence[ReportedRun], live: Live | None = None, title: str = "", sections: Sequence[Section] = SECTIONS
) -> str:
    """The page of one run, or of several together; with `live`, one that follows a run that goes on."""
    scene = Scene(runs, live)
    shown = [(section, data) for section in sections if (data := section.data(scene)) is not None]
    scripts = [bundle(), _part("shared.js"), *(section.script_text() for section in sections), _part("page.js")]
    scripts = [script for script in scripts if script]
    parts = [
        {"name": section.name, "title": section.title, "html": safe(section.html(data.shown))}
        for section, data in shown
    ]
    return str(
        _template().render(
            title=title or " + ".join(run.name for run in runs),
            scene=scene,
            policy=_policy(scripts, live is not None),
            style=safe(_part("style.css")),
            scripts=[safe(script) for script in scripts],
            sections=parts,
            data=safe(embedded({section.name: data.for_script for section, data in shown})),
            version=version("outgrow"),
        )
    )


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


def _template() -> Any:
    from outgrow.report.section import environment

    return environment(PARTS).get_template("report.html.j2")


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")
