"""What an experiment can name, as tables for people."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from outgrow.core.errors import UsageError
from outgrow.core.registry import find, names, nearest
from outgrow.models.checkpoints.locate import SHORT
from outgrow.models.contract import Model

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

LISTED = ("inputs", "methods", "metrics", "models", "tasks")  # what an experiment names and nothing else lists


def catalogue(what: str) -> RenderableType:
    """The tasks, models or methods that can be named here, one line each. Raises UsageError for another word."""
    from rich.console import Group
    from rich.table import Table

    if what not in LISTED:
        raise UsageError(f'list: there is no list of "{what}"{nearest(what, LISTED)}')
    table = Table("name", "options", "what it is", box=None, pad_edge=False)
    listed = names(what)
    if what == "tasks":
        from outgrow.tasks.named.table import TASKS

        listed = [name for name in listed if name not in TASKS]  # they have a table of their own
    for name in listed:
        thing = find(what, name).load()
        about = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
        table.add_row(name, _options(thing), about)
    if what == "tasks":
        return Group(table, "", named_tasks())
    if what != "models":
        return table
    short = Table("short name", "kind", "installed here", "else from the hub", box=None, pad_edge=False)
    for name, entry in SHORT.items():
        short.add_row(name, entry.kind, "yes" if entry.installed() else "no", entry.hub or "")
    return Group(table, "", short)


def named_tasks() -> Table:
    """The named tasks: rows seen, classes, forms, licence, where they come from."""
    from rich.table import Table

    from outgrow.tasks.named.table import BOTH, SUITES, TASKS

    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    for title in ("rows seen", "classes", "forms", "licence", "from the hub", "what it is"):
        table.add_column(title, overflow="fold")
    for name, task in TASKS.items():
        rows = f"{task.seen:,}" if task.seen else "by schema, rows not seen"
        classes = (
            "wrong, right"
            if task.forms == BOTH and not task.pair
            else "places"
            if task.forms
            else ", ".join(task.classes)
        )
        source = task.hub if task.config is None else f"{task.hub} ({task.config})"
        forms = " or ".join(task.forms) or "text"
        table.add_row(f"{name}{' *' if task.paper else ''}", rows, classes, forms, task.licence, source, task.about)
    table.caption = f"* one of the {len(SUITES['paper22'])} of Burns et al. 2023: `suite: paper22` names them all"
    table.caption_justify = "left"
    return table


def _options(thing: object) -> str:
    fields = getattr(thing, "model_fields", {})
    hidden = {"checkpoint"} if isinstance(thing, type) and issubclass(thing, Model) and thing.form else set()
    return ", ".join(
        name if field.is_required() else f"{name}={field.default!r}"
        for name, field in fields.items()
        if name not in hidden
    )
