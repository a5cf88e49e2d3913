"""Which labels are wrong: every label of a file, the cheap and the careful ones, ranked by how likely it is wrong."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Ints, sorted_classes
from outgrow.core.files.columns.listed_probabilities import listed
from outgrow.core.files.streams import writer
from outgrow.core.files.tables import Table, read_table, table_format
from outgrow.core.text.units import plural
from outgrow.questions.material import Material, Place, gather
from outgrow.questions.measures.copies import MOST, Neighbourhood, neighbourhood
from outgrow.questions.measures.label_quality import GivenBy, quality
from outgrow.questions.review_page import page
from outgrow.questions.strays import Stray, strays, without
from outgrow.teaching.labels.dataset_notes import notes
from outgrow.teaching.labels.label_form import Form

CAREFUL = "careful"  # what the source of careful labels is called
SHOWN = 60  # characters of a text in a finding


@dataclass(frozen=True)
class AuditedLabel:
    """One label of one text. wrong: how likely it is wrong, 0 to 1; None of an answer that is no class."""

    text: str
    source: str
    label: str
    suggested: str | None
    wrong: float | None
    row: int | None  # of the file of cheap labels, from 1
    findings: tuple[str, ...]


@dataclass(frozen=True)
class OfSource:
    """What the audit says of one source of labels."""

    source: str
    labels: int
    doubted: int  # labels that another class is likelier than


@dataclass(frozen=True)
class Audit:
    """Labels, those most likely wrong first; answers that are no class before all others."""

    labels: Sequence[AuditedLabel]
    sources: Sequence[OfSource]
    notes: Sequence[str]


def audit_files(
    labels: str | Path,
    *,
    text: str,
    columns: Sequence[str] = (),
    probabilities: Sequence[str] | Mapping[str, str] | None = None,
    voter: str | None = None,
    out: str | Path | None = None,
    on_page: int = 500,
    student: str | Mapping[str, Any] = "minilm",
    truth: str | Path | None = None,
    truth_label: str | None = None,
    classes: Sequence[str] | None = None,
    max_classes: int | None = None,
    seed: int = 0,
    place: Place | None = None,
) -> Audit:
    """Rank the labels in a file, and the careful ones in another, by how likely they are wrong.

    classes: the list of classes; other answers are listed first. out: a file to write all labels to, and beside it an HTML
    page of the same name with the first `on_page` of them. docs/guide/audit.md explains the options. Trainings are kept in the
    store: after a kill, the same call goes on where it was. Raises UsageError with everything that is wrong.
    """
    if out is not None:
        table_format(Path(out))  # an ending that is not known is reported before any work
    form = Form.of(columns, probabilities, voter)
    given, careful = _read(labels), _read(truth) if truth is not None else None
    found = strays(given, form.columns, classes)
    names = _classes(given, form, found, classes)
    column = _truth_column(careful, form, truth_label)
    wrong = strays(careful, [column], names) if careful is not None and column is not None else []
    folder = Path(tempfile.mkdtemp(prefix="outgrow-audit-"))
    try:
        material = gather(
            without(given, Path(labels), found, folder / "labels"),
            text,
            form,
            None if careful is None else without(careful, Path(str(truth)), wrong, folder / "truth"),
            truth_label,
            student,
            place or Place(),
            max_classes=max_classes,
            seed=seed,
        )
    except UsageError as error:
        there = (str(folder / "labels" / Path(labels).name), str(folder / "truth" / Path(str(truth)).name))
        problems_here = [one.replace(there[0], str(labels)).replace(there[1], str(truth)) for one in error.problems]
        raise UsageError(*problems_here) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    audit = _audited(material, _voters(given, form, found), form, neighbourhood(material.features))
    first = [*_stray(given, text, found), *_stray(careful, text, wrong, CAREFUL)]
    notes_here = [*notes(material.work.data, Path(labels).name, Path(str(truth)).name), *audit.notes]
    if first:
        notes_here.insert(
            0, f"{plural(len(first), 'answer')} that name no class: listed first, and nobody learns from them"
        )
    audit = Audit([*first, *audit.labels], audit.sources, notes_here)
    if out is not None:
        write(audit, Path(out), material.work.data.pool.classes, text, on_page)
    return audit


def write(audit: Audit, out: Path, classes: Sequence[str], text: str, on_page: int) -> None:
    """The labels as a file, and the first ones as a page beside it."""
    with writer(str(out), str(out), ("text", "source", "label", "suggested", "findings")) as append:
        append(
            {
                "text": [one.text for one in audit.labels],
                "source": [one.source for one in audit.labels],
                "label": [one.label for one in audit.labels],
                "suggested": [one.suggested for one in audit.labels],
                "wrong": [None if one.wrong is None else round(one.wrong, 6) for one in audit.labels],
                "row": [one.row for one in audit.labels],
                "findings": ["; ".join(one.findings) for one in audit.labels],
            }
        )
    kept = [*audit.labels[:on_page], *(one for one in audit.labels[on_page:] if one.findings)]
    page(out.with_suffix(".html"), kept, classes, text if "{" not in text else "text", out.name)


def _read(path: str | Path) -> Table:
    problems: list[str] = []
    table = read_table(path, problems)
    if table is None:
        raise UsageError(*problems)
    return table


def _classes(given: Table, form: Form, found: Sequence[Stray], classes: Sequence[str] | None) -> set[str]:
    """What careful labels may be."""
    if classes is not None:
        return set(classes)
    if form.probabilities is not None:
        return {name for name, _ in form.probabilities}
    if form.mapping is not None:
        rows = listed(given, form.mapping, []) if form.mapping in given.columns else None
        return {name for row in rows or () for name in row or ()}
    names = {name for column in form.columns if column in given.columns for name in given.names(column, "label", [])}
    return {name for name in names if name is not None} - {one.answer for one in found}


def _truth_column(careful: Table | None, form: Form, named: str | None) -> str | None:
    if careful is None:
        return None
    wanted = [named] if named is not None else [*(form.columns if len(form.columns) == 1 else ()), "label", "truth"]
    return next((name for name in wanted if name in careful.columns), None)


def _voters(given: Table, form: Form, found: Sequence[Stray]) -> list[str]:
    if form.voter is None or form.voter not in given.columns:
        return []
    left = {one.row - 1 for one in found}
    names = given.names(form.voter, "voter", [])
    answers = given.names(form.columns[0], "label", [])
    return sorted(
        {name for row, name in enumerate(names) if name is not None and answers[row] is not None and row not in left}
    )


def _stray(table: Table | None, text: str, found: Sequence[Stray], source: str | None = None) -> list[AuditedLabel]:
    from outgrow.core.files.columns.row_text import render

    if table is None or not found:
        return []
    texts = render(table, text, []) or [""] * len(table)
    return [
        AuditedLabel(
            texts[one.row - 1],
            source or one.column,
            one.answer,
            one.meant,
            None,
            None if source else one.row,
            (one.why,),
        )
        for one in found
    ]


def _audited(material: Material, voters: Sequence[str], form: Form, near: Neighbourhood) -> Audit:
    data = material.work.data
    pool, classes = data.pool, data.pool.classes
    named = [*(voters or form.columns or ["probabilities"]), CAREFUL]
    given, first = _given(material, len(named) - 1)
    found = quality(np.nan_to_num(material.opinion, nan=1 / len(classes)), given)
    of_text = _findings(material, given, near, named)
    labels = [
        AuditedLabel(
            str(pool.inputs[text]),
            named[source],
            classes[label],
            classes[instead] if wrong > 0.5 else None,
            wrong,
            row + 1 if row >= 0 else None,
            tuple(of_text.get((text, source, label), ())) + tuple(of_text.get((text, -1, -1), ())),
        )
        for text, source, label, instead, wrong, row in zip(
            *(part.tolist() for part in (given.text, given.source, given.label, found.instead, found.wrong, first)),
            strict=True,
        )
    ]
    order = np.argsort(-found.wrong, kind="stable")
    doubted = np.bincount(given.source, found.wrong > 0.5, len(named)).astype(int)
    counts = np.bincount(given.source, minlength=len(named))
    sources = [
        OfSource(name, int(counts[place]), int(doubted[place])) for place, name in enumerate(named) if counts[place]
    ]
    notes_here = []
    if near.compared < len(pool):
        notes_here.append(f"near copies and odd texts were looked for among the first {MOST:,} texts")
    return Audit([labels[place] for place in order.tolist()], sources, notes_here)


def _given(material: Material, careful: int) -> tuple[GivenBy, Ints]:
    """Every distinct (text, source, label), with the first row of the file that says so, -1 where it is careful."""
    data = material.work.data
    of_text = np.full(data.given.texts, -1)
    known = data.text_of >= 0
    of_text[data.text_of[known]] = np.flatnonzero(known)
    line, source, label = data.given.cells
    rows = of_text[data.given.rows[line]]
    here = np.flatnonzero(rows >= 0)
    table = np.stack([rows[here], source[here], label[here]], axis=1)
    distinct, first = np.unique(table, axis=0, return_index=True)
    rows = np.flatnonzero(data.pool.labels >= 0)
    truth = np.stack([rows, np.full(len(rows), careful), data.pool.labels[rows]], axis=1)
    text, who, which = np.concatenate([distinct, truth]).T
    places = np.concatenate([line[here[first]], np.full(len(rows), -1)])
    return GivenBy(text, who, which, careful if len(rows) else -1), places


def _findings(
    material: Material, given: GivenBy, near: Neighbourhood, named: Sequence[str]
) -> dict[tuple[int, int, int], list[str]]:
    """What else there is to say, by (text, source, label), or by (text, -1, -1)."""
    pool = material.work.data.pool
    of_text: dict[int, list[tuple[int, int]]] = {}
    for text, source, label in zip(given.text.tolist(), given.source.tolist(), given.label.tolist(), strict=True):
        of_text.setdefault(text, []).append((source, label))
    found: dict[tuple[int, int, int], list[str]] = {}
    for text, labels in of_text.items():
        for source, label in labels:
            others = [other for who, other in labels if who == source and other != label]
            if others:
                found.setdefault((text, source, label), []).append(
                    f"the same text is labelled {_listed(pool.classes, others)} in another row"
                )
    for one, other in near.pairs.tolist():
        for here, there in ((one, other), (other, one)):
            for source, label in of_text.get(here, ()):
                theirs = [which for who, which in of_text.get(there, ()) if who in (source, given.careful)]
                if theirs and label not in theirs:
                    found.setdefault((here, source, label), []).append(
                        f"nearly the same text is labelled {_listed(pool.classes, theirs)}: {_short(pool.inputs[there])}"
                    )
    for text in near.unlike.tolist():
        found.setdefault((text, -1, -1), []).append("unlike all other texts")
    return found


def _listed(classes: Sequence[str], places: Sequence[int]) -> str:
    return " and ".join(repr(name) for name in sorted_classes({classes[place] for place in places}))


def _short(text: Any) -> str:
    plain = " ".join(str(text).split())
    return f'"{plain if len(plain) <= SHOWN else plain[: SHOWN - 1] + "…"}"'
