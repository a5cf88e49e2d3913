"""Results as data frames: flat columns, and one spelling of a model in all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.text.entry_names import display

if TYPE_CHECKING:
    from outgrow.results.run_folder import Reading

MODELS = ("weak", "strong", "method")
SHOWN = ("weak_accuracy", "student_accuracy", "ceiling_accuracy", "pgr")


def frame(rows: Sequence[Mapping[str, Any]], library: str) -> Any:
    """A data frame of flat rows, in pandas or polars. Raises UsageError for another library."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    if library == "pandas":
        import pandas

        return pandas.DataFrame(columns)
    if library == "polars":
        import polars

        return polars.DataFrame(columns, strict=False)
    raise UsageError(f'frames are of "pandas" or "polars", not "{library}"')


def flat_cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A cell: names, number of seeds, and of each interval `<name>`, `<name>_low`, `<name>_high`, of PGR `_status` too."""
    row = {**_named(cell), "seeds": len(cell["seeds"])}
    for name, value in cell.items():
        if name in row:
            continue
        if name == "agreement" and value:
            for inner, interval in value.items():
                row |= _interval(f"agreement_{inner}" if inner != "agreement" else inner, interval)
        elif isinstance(value, Mapping) and "estimate" in value and not isinstance(value["estimate"], list):
            row |= _interval(name, value)
            if name.startswith("pgr"):
                row[f"{name}_status"] = value["status"]
        else:
            row[name] = _plain(value)
    return row


def flat_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run: names, seed, accuracies, and what is known beside; what is not one value is its JSON."""
    return {
        **_named(run),
        **{name: _plain(value) for name, value in run.items() if name not in ("task", "test_set", *MODELS)},
    }


def predictions(reading: Reading) -> list[dict[str, Any]]:
    """One row for each run and test example: the truth, and each model's class and its probability; None: not known."""
    rows: list[dict[str, Any]] = []
    for run in reading.asked:
        test = reading.scored.test(run.task, run.test_set)
        columns: dict[str, Sequence[Any]] = {"id": test.ids.tolist(), "truth": _classes(test.truth, test.classes)}
        for role, model in run.models.items():
            if model is None:
                columns[f"{role}_label"] = columns[f"{role}_probability"] = [None] * len(test.ids)
                continue
            values = reading.scored.tables.probabilities[model]
            known = np.asarray(~np.isnan(values).any(axis=1))
            whole = reading.scored.hard(model)  # breaks ties; None where a row is left out
            hard = whole if whole is not None else np.where(known, np.nan_to_num(values).argmax(axis=1), -1)
            columns[f"{role}_label"] = _classes(hard, test.classes)
            sure = values[np.arange(len(hard)), hard]
            columns[f"{role}_probability"] = [
                float(value) if one else None for value, one in zip(sure, known, strict=True)
            ]
        who = {
            "task": run.task,
            "test_set": run.test_set,
            "weak": run.weak.name,
            "strong": run.strong.name,
            "method": run.method.name,
        }
        rows += [
            {**who, "seed": run.seed, **dict(zip(columns, values, strict=True))}
            for values in zip(*columns.values(), strict=True)
        ]
    return rows


def flat_difference(row: Mapping[str, Any]) -> dict[str, Any]:
    """A comparison: names, what it is against, difference and PGR's difference with p, noise floor."""
    flat = {**_named(row), "against": row["against"], "seeds": len(row["seeds"]), "n_test": row["n_test"]}
    for name in ("difference", "pgr_difference"):
        flat |= _interval(name, row[name])
        flat |= {f"{name}_p": row[name]["p"], f"{name}_p_holm": row[name]["p_holm"]}
    return {**flat, "noise_floor": row["noise_floor"]}


def html(cells: Sequence[Mapping[str, Any]], most: int = 50) -> str:
    """The cells as a table for a notebook; all text is escaped."""
    names = [name for name in ("task", "test_set", *MODELS) if len({display(cell[name]) for cell in cells}) > 1] or [
        "task"
    ]
    titles = [
        *(name.replace("_", " ") for name in names),
        *(name.removesuffix("_accuracy").replace("pgr", "PGR") for name in SHOWN),
    ]
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    lines = [
        "".join(f"<td>{escape(text)}</td>" for text in (*(display(cell[name]) for name in names), *_numbers(cell)))
        for cell in cells[:most]
    ]
    more = f"<p>and {len(cells) - most:,} more cells</p>" if len(cells) > most else ""
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _numbers(cell: Mapping[str, Any]) -> list[str]:
    texts = []
    for name in SHOWN:
        found = cell[name]
        if found["estimate"] is None:
            texts.append(str(found["status"]))
        elif found["low"] is None or found["high"] is None:
            texts.append(f"{found['estimate']:.3f}")
        else:
            texts.append(f"{found['estimate']:.3f} [{found['low']:.3f}, {found['high']:.3f}]")
    return texts


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"task": row["task"], "test_set": row["test_set"], **{name: display(row[name]) for name in MODELS}}


def _interval(name: str, interval: Mapping[str, Any]) -> dict[str, Any]:
    return {name: interval["estimate"], f"{name}_low": interval["low"], f"{name}_high": interval["high"]}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else json.dumps(value)


def _classes(numbers: Any, classes: Sequence[str]) -> list[str | None]:
    return [classes[number] if number >= 0 else None for number in numbers.tolist()]
