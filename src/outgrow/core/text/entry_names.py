"""The short text that people read for an entry of a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from outgrow.core.identity import canonical_json

T = TypeVar("T")
NO_NAMES: Mapping[str, str] = {}


def display(written: Any, names: Mapping[str, str] = NO_NAMES) -> str:
    """A short text for a YAML entry: a string as it is, a mapping as `kind:checkpoint option=value`.

    What knows the truth where nobody would is marked as an oracle. names: display names by such text, for an entry or for
    entries that it is made of.
    """
    if names and (plain := _spelt(written, NO_NAMES)) in names:
        return names[plain]
    return _spelt(written, names)


def as_shown(written: T, names: Mapping[str, str]) -> T | str:
    """An entry as results hold it: what the YAML says, or the display name that it has."""
    name = display(written, names)
    return written if name == display(written) else name


def _spelt(written: Any, names: Mapping[str, str]) -> str:
    match written:
        case str():
            return written
        case list():
            return " + ".join(display(part, names) for part in written)
        case Mapping():
            (first, value), *rest = written.items()
            if isinstance(value, Mapping):
                options = {**value, **dict(rest)}
                texts = [str(first), *(f"{key}={_brief(item, names)}" for key, item in options.items())]
                return " ".join([*texts, "(oracle)"] if _knows_truth(first, value) else texts)
            head = display(value, names) if isinstance(value, list) else f"{first}:{_brief(value, NO_NAMES)}"
            return " ".join([head, *(f"{key}={_brief(item, names)}" for key, item in rest)])
        case _:
            return str(written)


def _brief(value: Any, names: Mapping[str, str]) -> str:
    if isinstance(value, list | tuple) and value and all(isinstance(part, str | Mapping) for part in value):
        return f"[{', '.join(display(part, names) for part in value)}]"
    return names.get(value, value) if isinstance(value, str) else canonical_json(value)


def _knows_truth(name: Any, options: Mapping[str, Any]) -> bool:
    return options.get("select_on") == "truth" or (name == "early_stop" and options.get("on") == "truth")
