"""The short text that people read for an entry of a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outgrow.core.identity import canonical_json


def display(written: Any) -> str:
    """A short text for a YAML entry: a string as it is, a mapping as `kind:checkpoint option=value`.

    What knows the truth where nobody would is marked as an oracle.
    """
    match written:
        case str():
            return written
        case list():
            return " + ".join(display(part) for part in written)
        case Mapping():
            (first, value), *rest = written.items()
            if isinstance(value, Mapping):
                texts = [str(first), *(f"{key}={_brief(item)}" for key, item in value.items())]
                return " ".join([*texts, "(oracle)"] if _knows_truth(first, value) else texts)
            head = display(value) if isinstance(value, list) else f"{first}:{_brief(value)}"
            return " ".join([head, *(f"{key}={_brief(item)}" for key, item in rest)])
        case _:
            return str(written)


def _brief(value: Any) -> str:
    if isinstance(value, list | tuple) and value and all(isinstance(part, str | Mapping) for part in value):
        return f"[{', '.join(display(part) for part in value)}]"
    return value if isinstance(value, str) else canonical_json(value)


def _knows_truth(name: Any, options: Mapping[str, Any]) -> bool:
    return options.get("select_on") == "truth" or (name == "early_stop" and options.get("on") == "truth")
