"""A plug-in to start from: a working example of a method, a model, a task or a metric, with its test."""

from __future__ import annotations

import builtins
import keyword
import re
from importlib.resources import files
from pathlib import Path

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.core.registry import nearest

PLACES = {"method": "methods", "model": "strong", "task": "tasks", "metric": "metrics"}  # where an experiment names one
CLASSES = ("method", "model")  # the others have names in small letters


def new(kind: str, path: Path) -> list[str]:
    """Write an example of `kind` to `path`, its test beside it, and say what to do next.

    Raises UsageError for another kind, for a name that Python can't import and for files that exist.
    """
    if kind not in PLACES:
        raise UsageError(f'new: there is no example of a "{kind}"{nearest(kind, PLACES)}')
    words = [word for word in path.stem.split("_") if word]
    name = "".join(word[:1].upper() + word[1:] for word in words) if kind in CLASSES else path.stem
    plain = path.suffix == ".py" and path.stem.isidentifier() and path.stem.isascii() and not path.stem.startswith("_")
    if not plain or not name.isidentifier() or keyword.iskeyword(path.stem):
        raise UsageError(f"new: {path} is not the name of a Python module: give one such as my_{kind}.py")
    used = set(re.findall(r"\w+", _example(f"my_{kind}.py")))
    if keyword.iskeyword(name) or hasattr(builtins, name) or name in used:
        raise UsageError(
            f"new: the {kind} would be called {name}, which means something else in the file: give another "
            f"name, such as my_{path.name}"
        )
    test = path.with_name(f"test_{path.name}")
    existing = [str(file) for file in (path, test) if file.exists()]
    if existing:
        raise UsageError(f"new: {' and '.join(existing)} exists already: give another name")
    title = " ".join(words).capitalize()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for target, source, example in ((path, f"my_{kind}.py", kind), (test, "test_my_method.py", "method")):
            text = _example(source).replace(f"My {example}", title).replace(f"my_{example}.py", path.name)
            own = f"My{example.capitalize()}" if example in CLASSES else f"my_{example}"
            text = text.replace(own, name).replace(f"my {example}", title.lower())
            with disk.replacing(target) as beside:
                beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutgrowError(f"new: {path} cannot be written: {error.strerror}") from None
    return [
        f"wrote {path}, a {kind} that works, and {test}",
        f"outgrow check {path}:{name}   checks it against its contract",
        f'{PLACES[kind]}: ["{path}:{name}"]   runs it in an experiment',
    ]


def _example(source: str) -> str:
    return (files("outgrow") / "cli" / "plugins" / source).read_text(encoding="utf-8")
