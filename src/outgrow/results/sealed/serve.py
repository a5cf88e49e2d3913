"""Answers to a sealed test set that are handed in over HTTP, on this machine alone, and scored as the command scores files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.local_server import Reply, Service
from outgrow.results.sealed.submit import submit

LARGEST = 64 * 2**20  # bytes of answers: a million of them in CSV are 30 MB
FAULTS = 20  # that one answer names; a file with a thousand needs no thousand sentences


def service(folder: Path, record: Callable[[Mapping[str, Any]], None]) -> Service:
    """What `--serve` answers: a POST of a file of answers gets the JSON of `outgrow score --sealed --json`.

    The file may be CSV, JSONL or Parquet, known by how it begins. record: gets each submission's score after it stands in
    the ledger. 200: scored. 403: another token. 405: not a POST. 411: no length. 413: too large. 400: cut short. 422: what is
    wrong with the answers; they are not counted. 500: what is wrong with the sealed part. All of them are JSON.
    """

    def scored(body: bytes) -> Reply:
        with tempfile.TemporaryDirectory(prefix="outgrow-answers-") as place:
            path = Path(place) / f"answers{_suffix(body)}"

            def sentences(error: OutgrowError) -> list[str]:
                # No path of this machine leaves it.
                return [
                    line.replace(f"{place}/", "").replace(str(folder), "sealed") for line in str(error).splitlines()
                ]

            try:
                path.write_bytes(body)
                found = submit(folder, path)
            except UsageError as error:
                return _wrong(422, sentences(error))
            except OutgrowError as error:
                return _wrong(500, sentences(error))
            except (OSError, MemoryError) as error:
                return _wrong(
                    500, [f"the answers could not be scored here: {type(error).__name__}; hand them in again"]
                )
        record(found)
        return _json(200, found)

    return Service(
        post=scored,
        largest=LARGEST,
        stranger=_wrong(
            403, ["the address has no such token; it is the one that `outgrow score --sealed --serve` printed"]
        ),
        other=_wrong(
            405, ["answers are handed in by POST: curl --data-binary @answers.csv ADDRESS"], {"Allow": "POST"}
        ),
        no_length=_wrong(411, ["the request has no Content-Length: send the answers as one body of known length"]),
        too_large=_wrong(
            413, [f"the answers are larger than {LARGEST >> 20} MiB: send `seed`, `id` and `label` alone"]
        ),
        cut_short=_wrong(400, ["the body ended before its Content-Length, or did not come in time: send it again"]),
    )


def _suffix(body: bytes) -> str:
    """The ending that a file of this content has."""
    if body.startswith(b"PAR1"):
        return ".parquet"
    return ".jsonl" if body.lstrip()[:1] in (b"{", b"[") else ".csv"


def _wrong(status: int, sentences: Sequence[str], headers: Mapping[str, str] | None = None) -> Reply:
    more = len(sentences) - FAULTS
    kept = [*sentences[:FAULTS], f"and {more} more problems"] if more > 0 else list(sentences)
    return _json(status, {"schema": 1, "problems": kept}, headers)


def _json(status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Reply:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return Reply(status, text.encode(), {"Content-Type": "application/json; charset=utf-8", **(headers or {})})
