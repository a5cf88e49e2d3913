"""A class or function of this process -> Python source that stands alone, so that its text is its identity."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import sysconfig
import textwrap
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from outgrow.core.errors import UsageError

ADVICE = (
    "write it to a file (in a notebook `%%writefile my_code.py` at the top of its cell) and name it `my_code.py:{name}`"
)


def source_of(thing: Any) -> str:
    """A module's text that defines a class or function again, with all that it reads of its surroundings.

    Classes and functions of the user's own are written out, what is installed is imported, plain values are written as
    they are now. Raises UsageError where that is not sound: no source, or a value that no literal spells.
    """
    parts = _Parts({}, {})
    _write(thing, parts, [])
    return "\n".join(
        [
            '"""Written by outgrow from objects in memory."""',
            "",
            "from __future__ import annotations",
            "",
            *sorted({line for line in parts.lines.values() if line.startswith(("import ", "from "))}),
            "",
            *(line for line in parts.lines.values() if not line.startswith(("import ", "from "))),
            "",
        ]
    )


class _Parts:
    """What the module defines by name: the objects, and their text in the order in which they need each other."""

    def __init__(self, objects: dict[str, Any], lines: dict[str, str]) -> None:
        self.objects, self.lines = objects, lines


def _write(thing: Any, parts: _Parts, within: list[Any]) -> None:
    """The source of a class or function, after that of all it reads."""
    name = getattr(thing, "__name__", type(thing).__name__)
    if not isinstance(thing, type | types.FunctionType) or not name.isidentifier():
        what = "a lambda" if name == "<lambda>" else f"a {type(thing).__name__}"
        raise UsageError(f"{what} has no source of its own to be known by: give it a name by `def` or `class`")
    if any(thing is one for one in within):
        return
    if name in parts.objects:
        if parts.objects[name] is not thing:
            raise UsageError(f"{name}: two things of this name are needed at once; {ADVICE.format(name=name)}")
        return
    try:
        text = textwrap.dedent(inspect.getsource(thing))
        tree = ast.parse(text)
    except (OSError, TypeError, SyntaxError) as error:
        raise UsageError(f"{name}: Python cannot say what its source is; {ADVICE.format(name=name)}") from error
    surroundings = _surroundings(thing)
    for read in _names(tree):
        if read != name and read in surroundings:
            _provide(read, surroundings[read], parts, [*within, thing], name)
    parts.objects[name], parts.lines[name] = thing, text


def _provide(name: str, value: Any, parts: _Parts, within: list[Any], who: str) -> None:
    """The line that gives a name its value: an import, a literal, or a source of its own."""
    if isinstance(value, types.ModuleType):
        if _is_own(value.__name__):
            raise UsageError(
                f"{who} reads {name}, a module of your own, whose content would be no part of its identity; "
                f"{ADVICE.format(name=who)}, with what it needs of {name}"
            )
        _line(name, value, f"import {value.__name__} as {name}", parts, who)
    elif isinstance(value, type | types.FunctionType) and _is_own(value.__module__):
        _write(value, parts, within)
        if value.__name__ != name:
            _line(name, value, f"{name} = {value.__name__}", parts, who)
    elif (found := _imported(value)) is not None:
        _line(name, value, f"from {found[0]} import {found[1]} as {name}", parts, who)
    elif _is_plain(value):
        _line(name, value, f"{name} = {value!r}", parts, who)
    else:
        raise UsageError(
            f"{who} reads {name}, a {type(value).__name__} in memory, which no source can spell: make it an option of "
            f"{who} or a plain number, text, list or mapping; or {ADVICE.format(name=who)}"
        )


def _line(name: str, value: Any, line: str, parts: _Parts, who: str) -> None:
    if name in parts.objects and parts.lines.get(name) != line:
        raise UsageError(f"{who}: reads two things called {name}; {ADVICE.format(name=who)}")
    parts.objects[name], parts.lines[name] = value, line


def _surroundings(thing: Any) -> Mapping[str, Any]:
    """The names that its source may read: of its closures, then of its module, less what Python has anyway."""
    functions = [thing] if isinstance(thing, types.FunctionType) else list(_functions(thing))
    found = dict(vars(sys.modules.get(thing.__module__, builtins)))
    for function in functions:
        found.update(function.__globals__)
    for function in functions:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                found[name] = cell.cell_contents
            except ValueError:  # not filled yet: the name is defined below
                continue
    return {
        name: value
        for name, value in found.items()
        if name != "__class__" and not (name in vars(builtins) and value is vars(builtins)[name])
    }


def _functions(owner: type) -> Iterator[types.FunctionType]:
    """The functions of a class, of its properties too."""
    for value in vars(owner).values():
        inner = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if isinstance(inner, types.FunctionType):
            yield inner


def _names(tree: ast.AST) -> list[str]:
    """The names that a source reads, each once."""
    read = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return list(dict.fromkeys(read))


def _imported(value: Any) -> tuple[str, str] | None:
    """The installed module and the name by which an object is imported again; None: there is none."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or getattr(value, "_name", None)
    if not isinstance(module, str) or not isinstance(name, str) or _is_own(module):
        return None
    return (module, name) if getattr(sys.modules.get(module), name, None) is value else None


def _is_plain(value: Any) -> bool:
    """Whether Python reads its representation back as the same value."""
    try:
        return bool(ast.literal_eval(repr(value)) == value) and type(ast.literal_eval(repr(value))) is type(value)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return False


def _is_own(module: str | None) -> bool:
    """Whether a module is the user's: neither built in nor installed."""
    if module is None or module == "__main__":
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if module.partition(".")[0] in {*sys.stdlib_module_names, "outgrow"} or file is None:
        return module not in sys.modules
    paths = [sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    return not any(Path(file).resolve().is_relative_to(Path(path).resolve()) for path in paths if path)
