"""What files of weights say that they hold, without their data."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError

_WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}  # bytes


def headers(path: Path) -> dict[str, Any]:
    """Names, types and shapes of a safetensors file, without its data. Raises OutgrowError if it is cut or none."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= size - 8:
                raise ValueError("no header")
            tensors: dict[str, Any] = json.loads(file.read(length))
        tensors.pop("__metadata__", None)
        for tensor in tensors.values():
            begin, stop = tensor["data_offsets"]
            if not all(type(size) is int and size >= 0 for size in tensor["shape"]):
                raise ValueError("no shape")
            if (
                stop - begin != math.prod(tensor["shape"]) * _WIDTHS.get(tensor["dtype"], 0)
                and tensor["dtype"] in _WIDTHS
            ):
                raise ValueError("a shape that its bytes do not have")
        end = 8 + length + max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise OutgrowError(f"{path}: is not a safetensors file: copy or save the checkpoint again") from error
    if end > size:
        raise OutgrowError(f"{path}: ends after {size} of {end} bytes: copy the checkpoint again")
    if end < size:
        raise OutgrowError(f"{path}: holds {size - end} bytes that its header does not name: copy the checkpoint again")
    return tensors


def count(paths: Sequence[Path]) -> int:
    """How many numbers the safetensors files hold."""
    return sum(math.prod(tensor["shape"]) for path in paths for tensor in headers(path).values())


def count_gguf(path: Path) -> int:
    """How many numbers a GGUF file holds. Raises OutgrowError if it is none."""
    # The gguf package answers this too, but takes nine seconds for it, since it parses every word of the vocabulary.
    widths = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of each type of number
    with path.open("rb") as file:

        def number(width: int) -> int:
            data = file.read(width)
            if len(data) < width:
                raise ValueError("cut")
            return int.from_bytes(data, "little")

        def skip(kind: int) -> None:
            if kind == 9:  # an array: the type of its items, how many, the items
                items, many = number(4), number(8)
                if items in widths:
                    file.seek(widths[items] * many, os.SEEK_CUR)
                else:
                    for _ in range(many):
                        skip(items)
            else:  # a string, its length first, or a number
                file.seek(number(8) if kind == 8 else widths[kind], os.SEEK_CUR)

        try:
            if file.read(4) != b"GGUF":
                raise ValueError("no magic")
            number(4)
            tensors, facts = number(8), number(8)
            for _ in range(facts):
                skip(8)
                skip(number(4))
            total = 0
            for _ in range(tensors):
                skip(8)
                total += math.prod([number(8) for _ in range(number(4))])
                number(4), number(8)  # its type, where its data begin
        except (ValueError, KeyError) as error:
            raise OutgrowError(f"{path}: is not a GGUF file, or cut: copy the checkpoint again") from error
        return total
