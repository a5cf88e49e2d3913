"""Where the relative paths of a YAML file start."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path

from outgrow.core.files import disk
from outgrow.core.registry import is_file_name

BASE: ContextVar[Path] = ContextVar("BASE", default=Path())  # the folder that relative paths start from


def absolute(name: str) -> str:
    """A member's name with the path of its file, if it has one, as `find_file` finds it."""
    if not is_file_name(name):
        return name
    path, _, attribute = name.rpartition(":")
    return f"{find_file(path)}:{attribute}"


def find_file(path: str) -> Path:
    """A path of a YAML file: beside that file, else from the working directory."""
    beside = (BASE.get() / disk.home(path)).absolute()
    here = disk.home(path).absolute()
    return here if here.exists() and not beside.exists() else beside
