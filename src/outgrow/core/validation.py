"""What pydantic finds wrong, in plain sentences with their place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from outgrow.core.registry import nearest

Loc = tuple[int | str, ...]


class Problems(ValueError):
    """Several things wrong with one entry, each a sentence."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = sentences
        super().__init__("; ".join(sentences))


def validated(model: type[BaseModel], options: Mapping[str, Any], where: str) -> Any:
    """`model(**options)`, with a fault in each option reported in a sentence of its own. Raises Problems."""
    try:
        return model(**options)
    except ValidationError as error:
        # Of an option with several forms, pydantic says what is wrong with each: the one that got furthest was meant.
        faults: dict[Any, Any] = {}
        for fault in error.errors():
            option = fault["loc"][:1]
            if option not in faults or len(fault["loc"]) > len(faults[option]["loc"]):
                faults[option] = fault
        raise Problems(*(f"{where}: {sentence(fault, model.model_fields)}" for fault in faults.values())) from error


def sentence(fault: Any, known: Iterable[str]) -> str:
    """One pydantic fault in plain words; `known`: the options that there are."""
    option = ".".join(str(part) for part in fault["loc"][:1])
    match fault["type"]:
        case "extra_forbidden":
            return f'unknown option "{option}"{nearest(option, known)}'
        case "missing":
            return f'"{option}" is missing'
        case "value_error":
            text = str(fault["ctx"]["error"])
            return f"{option}: {text}" if option else text
        case _:
            return f"{option}: {lower_first(fault['msg'])}, not {_shown(fault['input'])}"


def lower_first(text: str) -> str:
    """Pydantic's messages, as the middle of a sentence."""
    text = text.removeprefix("Input ").removeprefix("Value ")
    return text[:1].lower() + text[1:]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def faults(
    error: ValidationError, whole: Collection[str], parts: Mapping[str, Collection[str]]
) -> list[tuple[Loc, str]]:
    """Every fault of a validation: where it is, and a sentence that begins with the place.

    whole: the keys there are; parts: those of each key whose value has keys of its own.
    """
    found: list[tuple[Loc, str]] = []
    for fault in error.errors():
        loc = tuple(part for part in fault["loc"] if not (isinstance(part, str) and part.startswith("function-")))
        inside = fault["type"] in ("extra_forbidden", "missing")
        place = _place(loc[:-1] if inside else loc)
        cause = fault.get("ctx", {}).get("error")
        if isinstance(cause, Problems):
            texts = list(cause.sentences)
        elif inside:
            owner = parts.get(str(loc[0]), whole) if len(loc) > 1 else whole
            texts = [sentence({**fault, "loc": loc[-1:]}, owner).replace("unknown option", "unknown key")]
        else:
            texts = [sentence({**fault, "loc": ()}, whole).removeprefix(": ")]
        found += [(loc, f"{place}: {text}" if place else text) for text in texts]
    return found


def _place(loc: Loc) -> str:
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text
