"""A YAML file or value from a user, read safely, with the line that each part of it is on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from outgrow.core.errors import UsageError

LARGEST = 1_000_000  # bytes of a file: several thousand entries, and a few seconds to read
DEEPEST = 50  # mappings and lists inside each other
MOST = 100_000  # values, counting those that an alias repeats each time

_CORE = "tag:yaml.org,2002:"
# As in YAML 1.2: on, off, yes, no, times and dates are words, and 5e-5 is a number. 01 is a word: a class may be called so.
_WORDS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?(0b[01][01_]*|0x[0-9a-fA-F][0-9a-fA-F_]*|0o[0-7][0-7_]*|0|[1-9][0-9_]*)", list("-+0123456789")),
    "float": (
        r"[-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
        r"|\.(inf|Inf|INF))|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
_PLAIN = {f"{_CORE}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}


class _Loader(yaml.SafeLoader):
    """Plain YAML: no tags but those of text, numbers, true and false, and not nested deeper than people write."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > DEEPEST:
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            mark = event.start_mark
            raise yaml.composer.ComposerError(None, None, f"it is nested more than {DEEPEST} deep", mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


for _name, (_pattern, _first) in _WORDS.items():
    _Loader.add_implicit_resolver(f"{_CORE}{_name}", re.compile(f"(?:{_pattern})$"), _first)


def read_yaml(path: Path) -> tuple[Any, yaml.Node | None]:
    """The content of a YAML file and its node tree. Raises UsageError for a file that is not plain YAML."""
    try:
        if path.is_file() and path.stat().st_size > LARGEST:
            raise UsageError(f"{path}: is larger than {LARGEST:,} bytes; is it the YAML file of an experiment?")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a folder; give the YAML file in it") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return _read(text, str(path), lines=True)


def option_value(text: str, option: str) -> Any:
    """A command-line option's value: a mapping or a list where it is written as one in YAML, else the text itself."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    return _read(text, option, lines=False)[0]


def locate(tree: yaml.Node | None, loc: tuple[int | str, ...]) -> int:
    """The line (from 1) of the part `loc`, or of the nearest part around it."""
    node, line = tree, 1
    for part in loc:
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, found = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = node.value[part]
            line = found.start_mark.line + 1
        if found is None:
            break
        node = found
    return line


def _read(text: str, where: str, *, lines: bool) -> tuple[Any, yaml.Node | None]:
    loader: Any = None
    try:
        loader = _Loader(text)
        tree = loader.get_single_node()
        if tree is None:
            return None, None
        sizes: dict[yaml.Node, int] = {}
        _check(tree, sizes, ())
        return loader.construct_document(tree), tree
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark and lines else ""
        prefix = "" if isinstance(error, _Fault) else "is not YAML: "
        raise UsageError(f"{where}{line}: {prefix}{error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        code = int(error.character)  # types-PyYAML has it wrong
        found = "half of a surrogate pair" if 0xD800 <= code < 0xE000 else f"the control character U+{code:04X}"
        raise UsageError(f"{where}: holds {found}, which YAML does not allow; take it out") from None
    except RecursionError:
        raise UsageError(f"{where}: is nested more than {DEEPEST} deep; write it flatter") from None
    finally:
        if loader is not None:
            loader.dispose()


class _Fault(yaml.MarkedYAMLError):
    """What plain YAML may not hold, and where."""

    def __init__(self, problem: str, node: yaml.Node) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)


def _check(node: yaml.Node, sizes: dict[yaml.Node, int], above: tuple[yaml.Node, ...]) -> int:
    """How many values a node comes to; each node is looked at once, however often an alias repeats it."""
    if node in above:
        raise _Fault("an alias (*) is inside what it names, which never ends; write it out", node)
    if node in sizes:
        return sizes[node]
    if node.tag not in _PLAIN:
        raise _Fault(f"only plain YAML is read, no tags such as {node.tag.replace(_CORE, '!!')}", node)
    total = 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in {*_PLAIN, f"{_CORE}merge"}:
                raise _Fault("a key is a list, a mapping or has a tag; write one word", key)
            if key.value in seen:
                raise _Fault(f'the key "{key.value}" is twice in one mapping; keep one', key)
            seen.add(key.value)
            _check_scalar(key)
            total += _check(value, sizes, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        total += sum(_check(item, sizes, (*above, node)) for item in node.value)
    else:
        _check_scalar(node)
    if total > MOST:
        raise _Fault(f"holds more than {MOST:,} values once its aliases are written out; name fewer", node)
    sizes[node] = total
    return total


def _check_scalar(node: yaml.Node) -> None:
    kind = node.tag.removeprefix(_CORE)
    if kind in _READ and not _READ[kind](node.value):
        short = node.value if len(node.value) <= 40 else f"{node.value[:40]}…"
        raise _Fault(f"{short!r} is not {_NAMED[kind]}", node)
    if "\0" in node.value or any("\ud800" <= one <= "\udfff" for one in node.value):
        raise _Fault("holds a NUL character or half of a surrogate pair; take it out", node)


_FINITE = r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?"  # nothing here may be infinite or NaN
_NAMED = {
    "int": "a whole number of at most 19 digits",
    "float": "a finite number",
    "bool": "true or false",
    "null": "null",
}
_PATTERNS: Mapping[str, re.Pattern[str]] = {name: re.compile(pattern) for name, (pattern, _) in _WORDS.items()}


def _matches(kind: str) -> Any:
    return lambda text: _PATTERNS[kind].fullmatch(text) is not None


_READ = {
    "int": lambda text: len(text) <= 64 and _matches("int")(text) and len(text.lstrip("+-0").replace("_", "")) <= 19,
    "float": lambda text: (
        len(text) <= 64 and re.fullmatch(_FINITE, text) is not None and abs(float(text.replace("_", ""))) < 1e300
    ),
    "bool": _matches("bool"),
    "null": _matches("null"),
}
