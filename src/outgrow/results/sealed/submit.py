"""Answers to a sealed test set: checked, scored, entered into the ledger, and corrected for the number of submissions."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import class_name, whole_number
from outgrow.core.files import disk
from outgrow.core.files.tables import Table, read_table
from outgrow.core.text.units import plural
from outgrow.results.sealed import ledger
from outgrow.results.sealed.attempts import LEVEL, ask_holdout, simultaneous
from outgrow.results.sealed.envelope import Envelope, read_envelope
from outgrow.results.statistics.intervals import Interval
from outgrow.results.statistics.recovery import performance_gap_recovered

Rights = NDArray[np.float64]  # [seeds, examples] 1 right, 0 wrong


def submit(folder: Path, answers: Path) -> dict[str, Any]:
    """Score answers, after they stand in the ledger. The same answers again give what they gave, and count once.

    Raises UsageError with all that is wrong with the answers (nothing is entered then), OutgrowError where the sealed part or
    the ledger is damaged.
    """
    sealed = read_envelope(folder)
    right = read_right(answers, sealed)
    print_ = hashlib.sha256(right.astype(np.uint8).tobytes()).hexdigest()
    with disk.locked(folder / "lock", exclusive=True, wait=True):
        book = ledger.read(folder, sealed.hash)
        mine = next((line for line in book.lines if line["right"] == print_), None)
        again = mine is not None
        if mine is None:
            number = len(book.lines) + 1
            used = sum(bool(line["holdout"]["spent"]) for line in book.lines)
            open_, held = (float(right[:, half].mean()) for half in (~sealed.held, sealed.held))
            reported = ask_holdout(open_, held, sealed.rule, sealed.salt, number, used)
            # Kept first: a line in the ledger always has its table.
            with (
                disk.sentences(folder, "the sealed folder", "--sealed"),
                disk.replacing(_kept(folder, number)) as beside,
            ):
                with beside.open("wb") as file:
                    np.save(file, right.astype(np.uint8))
                disk.flush(beside)
            entry = {"answers": answers.name, "right": print_, "accuracy": open_, "holdout": asdict(reported)}
            book = ledger.append(folder, book, entry)
            mine = book.lines[-1]
        best = max(book.lines, key=lambda line: (line["accuracy"], -line["number"]))
        spent = sum(bool(line["holdout"]["spent"]) for line in book.lines)
        attempts = len(book.lines)
        best_right = right if best is mine else _table(folder, best)
    return {
        "schema": 1,
        "names": dict(sealed.names),
        "submission": mine["number"],
        "again": again,
        "submissions": attempts,
        "this": _scored(sealed, right, mine, 1),
        "this_of_all": _scored(sealed, right, mine, attempts),
        "best": _scored(sealed, best_right, best, attempts),
        "holdout_left": sealed.rule.budget - spent,
        "rule": asdict(sealed.rule),
        "ledger": book.last,
    }


def sentences(found: dict[str, Any]) -> list[str]:
    """The sentences on a submission."""
    best, this, n = found["best"], found["this"], found["submissions"]
    alone = ", with intervals as if it were the only attempt" if this["pgr"]["estimate"] is not None else ""
    lines = [
        f"Submission {found['submission']} of {n}"
        + (" (the same file as before, counted once)" if found["again"] else "")
        + f": accuracy {this['student_accuracy']['estimate']:.3f} on the open half, PGR {_shown(this['pgr'])}{alone}."
    ]
    if n > 1:
        at_once = (
            f", an interval that holds for all {n} at once (Bonferroni) where none of them was chosen by the scores of others"
            if best["pgr"]["estimate"] is not None
            else ""
        )
        lines.append(
            f"The best of {n} is submission {best['submission']}: accuracy {best['student_accuracy']['estimate']:.3f}, "
            f"PGR {_shown(best['pgr'])}{at_once}."
        )
    if best["holdout_accuracy"] is None:
        lines.append("The holdout has answered as often as it may: it gives no answer for this submission.")
    else:
        pgr = "" if best["holdout_pgr"] is None else f", PGR {best['holdout_pgr']:.3f}"
        whose = f"submission {best['submission']} has" if n > 1 else "it has"
        lines.append(
            f"On the second half, a reusable holdout (Thresholdout), {whose} accuracy {best['holdout_accuracy']:.3f}{pgr}; "
            f"{plural(found['holdout_left'], 'answer')} of the holdout {'is' if found['holdout_left'] == 1 else 'are'} left "
            "for submissions whose halves differ."
        )
    return [*lines, f"Ledger: {plural(n, 'line')}, the last hash is {found['ledger']}."]


def read_right(path: Path, sealed: Envelope) -> Rights:
    """Right and wrong `[seeds, examples]`, from `seed`, `id` and `label` in any order. Raises UsageError with all faults."""
    problems: list[str] = []
    table = read_table(path, problems)
    if table is None:
        raise UsageError(*problems)
    there = [
        table.has(name, role, problems) for name, role in (("seed", "seeds"), ("id", "test ids"), ("label", "answers"))
    ]
    if not all(there):
        raise UsageError(*problems)
    if not table.words(("seed", "id", "label"), problems):
        raise UsageError(*problems)
    return _right(table, sealed, problems)


def _right(table: Table, sealed: Envelope, problems: list[str]) -> Rights:
    places = {id_: place for place, id_ in enumerate(sealed.ids)}
    numbers = {name: number for number, name in enumerate(sealed.classes)}
    rows = {seed: place for place, seed in enumerate(sealed.seeds)}
    answered = np.full((len(sealed.seeds), len(sealed.ids)), -1, dtype=np.int64)
    unknown: list[int] = []
    twice: list[int] = []
    off: list[int] = []
    seeds: list[int] = []
    for row in range(len(table)):
        seed, id_, label = (class_name(table.columns[name][row]) for name in ("seed", "id", "label"))
        place, of_seed = places.get(id_ or ""), rows.get(-1 if (number := whole_number(seed)) is None else number)
        answer = numbers.get(label or "")
        for wrong, faults in ((of_seed is None, seeds), (place is None, unknown), (answer is None, off)):
            if wrong:
                faults.append(row)
        if of_seed is None or place is None or answer is None:
            continue
        if answered[of_seed, place] >= 0:
            twice.append(row)
        answered[of_seed, place] = answer
    named = f"the classes are {', '.join(sealed.classes)}"
    for faults, what in (
        (seeds, f"holds a seed that is none of {', '.join(map(str, sealed.seeds))}"),
        (unknown, "holds an id that the test inputs do not have"),
        (off, f"holds no answer or one that is not a class; {named}"),
        (twice, "answers an id of a seed a second time; keep one"),
    ):
        if faults:
            problems.append(f"{table.name}, {table.where(faults)}: {what}")
    missing = np.argwhere(answered < 0)
    if len(missing) and not (unknown or off or seeds):
        seed, place = missing[0]
        problems.append(
            f"{table.name}: {len(missing)} of {answered.size} answers are missing, the first for seed {sealed.seeds[seed]}, id "
            f"{sealed.ids[place]!r}; every seed answers every test input"
        )
    if problems:
        raise UsageError(*problems)
    right: Rights = (answered == sealed.truth).astype(np.float64)
    return right


def _kept(folder: Path, number: int) -> Path:
    return folder / "submissions" / f"{number}.npy"


def _table(folder: Path, line: Any) -> Rights:
    path = _kept(folder, line["number"])
    try:
        right = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise OutgrowError(f"{path}: is missing or damaged; take the copy you kept") from error
    if hashlib.sha256(right.astype(np.uint8).tobytes()).hexdigest() != line["right"]:
        raise OutgrowError(f"{path}: is not what the ledger says was submitted; take the copy you kept")
    return np.asarray(right, dtype=np.float64)


def _scored(sealed: Envelope, right: Rights, line: Any, attempts: int) -> dict[str, Any]:
    open_ = ~sealed.held
    weak_, student, ceiling_ = (table[:, open_] for table in (sealed.weak, right, sealed.ceiling))
    found = simultaneous(weak_, student, ceiling_, sealed.groups[open_], attempts)
    reported = line["holdout"]["value"]
    weak, ceiling = float(sealed.weak.mean()), float(sealed.ceiling.mean())
    return {
        "submission": line["number"],
        "level": 1 - (1 - LEVEL) / attempts,
        **{name: _written(one) for name, one in found.items()},
        "holdout_accuracy": reported,
        # A ratio to a gap that has not been shown is noise.
        "holdout_pgr": None
        if reported is None or found["pgr"].status != "ok"
        else performance_gap_recovered(weak, reported, ceiling),
    }


def _written(found: Interval) -> dict[str, Any]:
    return {"estimate": found.estimate, "low": found.low, "high": found.high, "status": found.status}


def _shown(found: dict[str, Any]) -> str:
    if found["estimate"] is None:
        return str(found["status"])
    ends = "" if found["low"] is None else f" [{found['low']:.3f}, {found['high']:.3f}]"
    return f"{found['estimate']:.3f}{ends}"
