"""Logs that evaluation programs leave, as tables of right and wrong: JSON logs of `inspect`, sample files of `lm-eval`.

The forms are those of inspect_ai.log's EvalLog (status, eval, samples with id, epoch and scores) and of lm-evaluation-harness's
`--log_samples` (doc_id, doc_hash, filter, filtered_resps, and a number by metric).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from outgrow.core.files.json_file import NotJsonError, parse_json
from outgrow.core.files.tables import Table, read_table
from outgrow.core.text.units import plural

RIGHT = "right"
# How inspect writes what accuracy counts (inspect_ai.scorer: CORRECT, INCORRECT, NOANSWER); partly right, "P", has no place.
MARKS: Mapping[Any, bool] = {"C": True, "I": False, "N": False, 1: True, 0: False}
METRICS = ("acc", "exact_match")  # of lm-eval, in the order in which they are looked for
ENOUGH = 5  # samples that a sentence names


def read_answers(path: Path, scorer: str | None, problems: list[str]) -> Table | None:
    """A table of predictions, or of what a log holds: `id`, `seed` where it repeats, `p_right`, `p_wrong`, `gt_label`."""
    if path.suffix == ".eval":
        problems.append(
            f"{path}: is inspect's packed log; `inspect log convert {path.name} --to json --output-dir DIR` writes what is read"
        )
        return None
    if path.suffix == ".json" and (log := _inspect_log(path)) is not None:
        return _of_inspect(str(path), log, scorer, problems)
    table = read_table(path, problems)
    if table is not None and is_lm_eval(table):
        return _of_lm_eval(table, scorer, problems)
    return table


def is_log(path: Path) -> bool:
    """Whether a file is such a log, by its content; False where it cannot be read, which its reader reports."""
    if path.suffix == ".eval" or (path.suffix == ".json" and _inspect_log(path) is not None):
        return True
    try:
        data = path.read_bytes()
        first = (gzip.decompress(data) if path.suffix == ".gz" else data).lstrip().split(b"\n", 1)[0]
        row = parse_json(first, nan=True)
    except (OSError, EOFError, zlib.error, NotJsonError):
        return False
    return isinstance(row, dict) and {"doc_id", "filtered_resps"} <= set(row)


def is_lm_eval(table: Table) -> bool:
    """Whether a table is a sample file of lm-eval."""
    return {"doc_id", "filtered_resps"} <= set(table.columns)


def _inspect_log(path: Path) -> dict[str, Any] | None:
    try:
        content = parse_json(path.read_bytes(), nan=True)
    except (OSError, NotJsonError):
        return None
    return content if isinstance(content, dict) and {"eval", "status"} <= set(content) else None


def _of_inspect(name: str, log: Mapping[str, Any], scorer: str | None, problems: list[str]) -> Table | None:
    if log["status"] != "success":
        problems.append(f"{name}: the evaluation ended as {log['status']!r}; `inspect eval-retry` completes it")
        return None
    samples = log.get("samples")
    if not isinstance(samples, list) or not samples:
        problems.append(f"{name}: holds no samples; inspect leaves them out with --no-log-samples: run it without")
        return None
    if not all(isinstance(sample, dict) and isinstance(sample.get("scores") or {}, dict) for sample in samples):
        problems.append(f"{name}: holds entries that are not samples; copy the log again")
        return None
    scored = [(place, sample) for place, sample in enumerate(samples, 1) if sample.get("scores")]
    names = sorted({found for _, sample in scored for found in sample["scores"]})
    chosen = _chosen(name, "scorer", scorer, names, problems)
    if chosen is None:
        return None
    kept = [(place, sample, sample["scores"][chosen]) for place, sample in scored if chosen in sample["scores"]]
    marks = [(place, score.get("value") if isinstance(score, dict) else None) for place, _, score in kept]
    right = _right(name, f"the scorer {chosen}", "sample", marks, problems)
    if right is None:
        return None
    epochs = [sample.get("epoch", 1) for _, sample, _ in kept]
    ids = [sample.get("id") for _, sample, _ in kept]
    return _table(
        name, ids, epochs if len(set(map(str, epochs))) > 1 else None, right, [place for place, _ in marks], "sample"
    )


def _of_lm_eval(table: Table, scorer: str | None, problems: list[str]) -> Table | None:
    asked, _, asked_filter = (scorer or "").partition(",")
    filters = table.columns.get("filter", ["none"] * len(table))
    there = sorted({str(one) for one in filters})
    if (asked_filter and asked_filter not in there) or (not asked_filter and len(there) > 1):
        problems.append(
            f"{table.name}: holds the answers of the filters {', '.join(there)}; name one: "
            f"--scorer {asked or METRICS[1]},{there[0]}"
        )
        return None
    rows = [row for row, one in enumerate(filters) if str(one) == (asked_filter or there[0])]
    listed = table.columns.get("metrics", [None])[0]
    known = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else list(METRICS)
    metrics = [one for one in known if one in table.columns] or [one for one in METRICS if one in table.columns]
    metric = asked or next((one for one in METRICS if one in metrics), "")
    chosen = metric if metric in metrics else _chosen(table.name, "metric", asked or None, metrics, problems)
    if chosen is None:
        return None
    marks = [(table.places[row], table.columns[chosen][row]) for row in rows]
    right = _right(table.name, f"the metric {chosen}", table.unit, marks, problems)
    if right is None:
        return None
    # With the hash of the question, questions of other data under the same number are not taken for the same.
    hashes = table.columns.get("doc_hash", [None] * len(table))
    ids = [
        table.columns["doc_id"][row]
        if hashes[row] is None
        else f"{table.columns['doc_id'][row]}:{str(hashes[row])[:8]}"
        for row in rows
    ]
    return _table(table.name, ids, None, right, [place for place, _ in marks], table.unit)


def _chosen(name: str, what: str, asked: str | None, names: Sequence[str], problems: list[str]) -> str | None:
    if asked is None and len(names) == 1:
        return names[0]
    if asked is not None and asked in names:
        return asked
    if not names:
        problems.append(f"{name}: no sample has a score; nothing is known of what was right")
    elif asked is None:
        problems.append(f"{name}: has several {what}s, {', '.join(names)}; name one with --scorer")
    else:
        problems.append(f"{name}: has no {what} {asked!r}; there is {', '.join(names)}")
    return None


def _right(name: str, what: str, unit: str, marks: Sequence[tuple[int, Any]], problems: list[str]) -> list[bool] | None:
    wrong = [(place, value) for place, value in marks if isinstance(value, list | dict) or value not in MARKS]
    if wrong:
        places = ", ".join(str(place) for place, _ in wrong[:ENOUGH]) + (
            f" and {len(wrong) - ENOUGH} more" if len(wrong) > ENOUGH else ""
        )
        problems.append(
            f"{name}: {what} has {str(wrong[0][1])[:20]!r} in {unit} {places}; only right and wrong can be scored "
            "(1 and 0, or C, I and N): name another with --scorer"
        )
        return None
    return [MARKS[value] for _, value in marks]


def _table(
    name: str, ids: Sequence[Any], seeds: Sequence[Any] | None, right: Sequence[bool], places: Sequence[int], unit: str
) -> Table:
    columns: dict[str, Sequence[Any]] = {
        "id": ids,
        "p_right": [float(one) for one in right],
        "p_wrong": [1.0 - one for one in right],
        "gt_label": [RIGHT] * len(right),
    }
    return Table(name, columns if seeds is None else {**columns, "seed": seeds}, places, unit)


def log_notes(paths: Mapping[str, Path], repeated: int) -> list[str]:
    """What scoring logs leaves unknown; `repeated`: how many times each sample was answered."""
    notes = [
        f"{plural(len(paths), 'log')} of evaluations: of each row it is known whether it is right, not what was answered; "
        "agreement between models is not counted"
    ]
    if repeated > 1:
        notes.append(
            f"the {repeated} epochs count as seeds: they are answers drawn again from one model, and nothing is known of how "
            "much another training would differ"
        )
    return notes
