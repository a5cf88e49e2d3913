"""A YAML file, read safely, with the line that each part of it stands on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from outgrow.core.errors import UsageError


class _Loader(yaml.SafeLoader):
    """Plain YAML in which, as in YAML 1.2, 5e-5 is a number and on, off, yes and no are words: an option is called `on`."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: Path) -> tuple[Any, yaml.Node | None]:
    """The content of a YAML file and its node tree. Raises UsageError for a file that is not plain YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a folder; give the YAML file in it") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        tree = yaml.compose(text, Loader=_Loader)
        _reject_repeated_keys(path, tree)
        return yaml.load(text, Loader=_Loader), tree
    except yaml.constructor.ConstructorError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}:{line}: only plain YAML is read, no Python tags: {error.problem}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}:{line}: is not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None


def option_value(text: str, option: str) -> Any:
    """A command-line option's value: a mapping or a list where it is written as one in YAML, else the text itself."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UsageError(f"{option}: is not YAML: {' '.join(str(error).split())}") from None


def locate(tree: yaml.Node | None, loc: tuple[int | str, ...]) -> int:
    """The line (from 1) where the part `loc` stands, or the nearest part around it."""
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


def _reject_repeated_keys(path: Path, node: yaml.Node | None) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    line = key.start_mark.line + 1
                    raise UsageError(f'{path}:{line}: the key "{key.value}" stands twice in one mapping; keep one')
                seen.add(key.value)
            _reject_repeated_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _reject_repeated_keys(path, item)
