"""The one reader of JSON that somebody else wrote: exact, or a reason in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError

DEEPEST = 100  # lists and objects inside each other


class NotJsonError(ValueError):
    """Why a text is not JSON that can be read exactly."""


def parse_json(text: str | bytes, *, nan: bool = False) -> Any:
    """The value of a JSON text in UTF-8. Raises NotJsonError on what has not one exact meaning.

    That is: a key twice in one object, half of a surrogate pair, NaN and infinity (unless `nan`), a number of thousands of
    digits, nesting beyond 100.
    """
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=(lambda name: float(name.replace("Infinity", "inf"))) if nan else _refused,
        )
        if text.count("[") + text.count("{") > DEEPEST and _depth(value) > DEEPEST:
            raise NotJsonError(f"nested more than {DEEPEST} deep")
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # raises on half of a surrogate pair
    except UnicodeDecodeError as error:
        raise NotJsonError(f"not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        raise NotJsonError("half of a surrogate pair, which is not a character") from None
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        raise NotJsonError(f"{error.msg.removesuffix(' at')} at {line}column {error.colno}") from None
    except NotJsonError:
        raise
    except ValueError:
        raise NotJsonError("a number of more digits than can be read") from None
    except RecursionError:
        raise NotJsonError(f"nested more than {DEEPEST} deep") from None
    return value


def read_json(path: Path, what: str, advice: str) -> Any:
    """The value in a JSON file. Raises OutgrowError: `path: is not {what} (reason); {advice}`."""
    try:
        return parse_json(path.read_bytes())
    except NotJsonError as error:
        raise OutgrowError(f"{path}: is not {what} ({error}); {advice}") from None
    except OSError as error:
        raise OutgrowError(f"{path}: cannot be read ({error.strerror}); {advice}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJsonError(f"the key {twice!r} twice in one object")
    return made


def _refused(name: str) -> float:
    raise NotJsonError(f"{name}, which JSON does not have")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= DEEPEST:
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [part for one in inner for part in one if isinstance(part, dict | list)]
        depth += bool(inner)
    return depth
