"""The contract of a section of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from outgrow.report.markup import breakable
from outgrow.report.scene import Scene

PARTS = Path(str(files("outgrow"))) / "report" / "parts"


@dataclass(frozen=True)
class Data:
    """What a section makes of a scene: the variables of its template, and JSON values for its script."""

    shown: Mapping[str, Any] = field(default_factory=dict)
    for_script: Any = None


@dataclass(frozen=True)
class Section:
    """One section: what it shows of a scene, how, and what its script makes of it in the browser.

    name: its anchor, and the key of its data in the page. title: its heading and its place in the navigation; one without
    a title writes its own <section>. data: None leaves the section out. template: a jinja2 file of `folder` (by
    default `<name>.html.j2`). script: a file of `folder` that sets `sections.<name> = {start(data), state(), restore(state)}`,
    all optional; `start` is called again each time that a live page is replaced, between `state` and `restore`.
    """

    name: str
    title: str
    data: Callable[[Scene], Data | None]
    script: str = ""
    template: str = ""
    folder: Path = PARTS / "sections"

    def html(self, shown: Mapping[str, Any]) -> str:
        """The section's content; all text of `shown` is escaped."""
        template = environment(self.folder).get_template(self.template or f"{self.name}.html.j2")
        return str(template.render(**shown))

    def script_text(self) -> str:
        """The script, or nothing."""
        return (self.folder / self.script).read_text(encoding="utf-8") if self.script else ""


def environment(folder: Path) -> Any:
    """jinja2 with everything escaped, and a missing variable an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(str(folder))
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["breakable"] = breakable
    return made
