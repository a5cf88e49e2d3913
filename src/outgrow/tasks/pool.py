"""From the rows as they come to the pool, and from the pool to one seed's splits.

Everything here is decided by hashes of content, never by position: the same rows in another order give the same pool,
and one row more or less moves few others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from outgrow.core.errors import UsageError
from outgrow.core.examples import Ints, class_name, sorted_classes
from outgrow.core.identity import content_id
from outgrow.core.inputs.input_type import InputType, type_of_class
from outgrow.core.pool import Pool, Source
from outgrow.core.registry import nearest
from outgrow.core.text.units import plural
from outgrow.tasks.class_names import class_names_in_texts
from outgrow.tasks.contract import RawTask

MOST_OF_ONE_CLASS = 55  # percent; a binary task above it is down-sampled (Burns et al. 2023, appendix A)


@dataclass(frozen=True)
class _Row:
    id: str
    input: Any
    label: int  # -1: not known
    group: str
    test: bool  # of the official test split
    allowed: tuple[bool, ...] | None


def build_pool(raw: RawTask, *, test_rows: int | None, balance: bool, name: str = "the task") -> Pool:
    """The pool of a task: duplicates merged, classes balanced, `test_rows` rows fixed as the test split.

    None takes every row of the task's own test split. Raises UsageError where the rows cannot give such a
    pool; its sentences begin with `name`.
    """
    if test_rows is not None and test_rows < 1:
        raise UsageError(f"{name}: test must be 1 row or more, not {test_rows}")
    classes, labels = _classes(raw, name)
    notes = list(raw.notes)
    kind = type_of_class(raw.input_type)
    check_inputs(raw, kind, name)
    ids = [kind.id(value) for value in raw.inputs]
    _check_allowed(raw, ids, labels, classes, name)
    forms = [kind.normal_form(value) for value in raw.inputs]
    notes += kind.notes(raw.inputs)
    rows = _distinct(raw, kind, ids, forms, labels, notes)
    notes += class_names_in_texts(forms, labels, classes)
    known = {row.label for row in rows if row.label >= 0}
    if len(known) < 2:
        kept = f"only class {classes[min(known)]}" if known else "no labelled row"
        raise UsageError(_sentence(f"{name}: {kept} remains; two classes are needed", notes))
    official = raw.test is not None and any(raw.test)
    if balance and len(classes) == 2 and not kind.exchangeable:
        parts = (("training rows", False), ("test rows", True)) if official else (("rows", False),)
        for part, test in parts:
            rows = _balanced(rows, test, part, classes, notes)
    groups_matter = raw.groups is not None and any(row.group != row.id for row in rows)
    candidates = [row for row in rows if row.label >= 0 and (row.test or not official)]
    if test_rows is None:
        if not official:
            raise UsageError(f"{name}: has no test split of its own: say how many rows under split: test")
        test_rows = len(candidates)
    if test_rows > len(candidates):
        there = "the test file has" if official else "the task has"
        raise UsageError(
            _sentence(f"{name}: test {test_rows} asks for more than there is: {there} {len(candidates)} rows", notes)
        )
    if official or not groups_matter:
        chosen = {row.id for row in _stratified(candidates, test_rows)}
    else:
        chosen = {row.id for row in _whole_groups(candidates, test_rows)}
    rows = _without_rest(rows, chosen, official, notes)
    unlabelled = sum(row.label < 0 for row in rows)
    if unlabelled:
        notes.append(f"{plural(unlabelled, 'row')} without a label, for transfer only")
    rows.sort(key=lambda row: row.id)
    return Pool(
        ids=np.array([row.id for row in rows], dtype=np.str_),
        inputs=[row.input for row in rows],
        labels=np.array([row.label for row in rows], dtype=np.int64),
        classes=classes,
        groups=np.array([row.group for row in rows], dtype=np.str_),
        test=np.array([row.id in chosen for row in rows], dtype=np.bool_),
        notes=tuple(notes),
        source=Source.of(ids, raw.columns, raw.test, raw.orders),
        input_type=kind,
        allowed=np.array([row.allowed for row in rows], dtype=np.bool_) if raw.allowed is not None else None,
    )


def check_inputs(raw: RawTask, kind: InputType, name: str) -> None:
    """Raises UsageError where values are none of their type's; its sentence names the first and their number."""
    wrong = [(row, problem) for row, value in enumerate(raw.inputs) if (problem := kind.problem(value)) is not None]
    if wrong:
        row, problem = wrong[0]
        more = f", and {len(wrong) - 1} more inputs are wrong in this way" if len(wrong) > 1 else ""
        raise UsageError(f"{name}: the inputs are of type {kind.name}, and input {row + 1} {problem}{more}")


def _check_allowed(raw: RawTask, ids: Sequence[str], labels: Sequence[int], classes: Sequence[str], name: str) -> None:
    """Raises UsageError where a row's label is a class that it cannot have, or equal inputs allow different classes."""
    first: dict[str, Sequence[bool]] = {}
    for row, (id_, label, allowed) in enumerate(
        zip(ids, labels, () if raw.allowed is None else raw.allowed, strict=False)
    ):
        if label >= 0 and not allowed[label]:
            raise UsageError(
                f"{name}: the label of input {row + 1} is {classes[label]!r}, which the row does not allow"
            )
        if list(first.setdefault(id_, allowed)) != list(allowed):
            raise UsageError(f"{name}: input {row + 1} occurs before and allows other classes there")


def deal(pool: Pool, seed: int, *, weak_train: int, transfer: int, validation: int) -> dict[str, Ints]:
    """One seed's splits: positions into the pool, in the seed's random order, of exactly the sizes asked for.

    Groups go round in the order of a hash of seed and group; the last one of a split is cut to fit and its rest
    belongs to none. Rows without truth go to transfer only. Raises UsageError where the pool has too few rows.
    """
    asked = {"weak_train": weak_train, "transfer": transfer, "validation": validation}
    problems = [f"{split} must be 0 rows or more, not {size}" for split, size in asked.items() if size < 0]
    if transfer == 0:
        problems.append("transfer must be 1 row or more, not 0: it is what the student learns from")
    if problems:
        raise UsageError(*problems)

    ids, group_of = pool.ids.tolist(), pool.groups.tolist()
    order = sorted(
        np.flatnonzero(~pool.test).tolist(),
        key=lambda row: (_turn(f"{seed}:{group_of[row]}"), _turn(f"{seed}:{ids[row]}")),
    )
    groups: dict[str, list[int]] = {}
    for row in order:
        groups.setdefault(group_of[row], []).append(row)
    known = (pool.labels >= 0).tolist()
    labelled = {group: [row for row in rows if known[row]] for group, rows in groups.items()}
    n_groups, left = len(groups), sum(map(len, labelled.values()))
    _check_enough(pool, asked, len(order), left)

    splits: dict[str, Ints] = {}
    for split, size in asked.items():
        usable = groups if split == "transfer" else labelled
        dealt: list[int] = []
        for group in list(groups):
            if len(dealt) == size:
                break
            # Transfer leaves alone the last labelled rows that validation needs: other rows serve it as well.
            needed = split == "transfer" and labelled[group] and left - len(labelled[group]) < validation
            if needed or not usable[group]:
                continue
            dealt += usable[group][: size - len(dealt)]
            left -= len(labelled[group])
            del groups[group]
        if len(dealt) < size:
            text = (
                f"{_sum_of(asked)} cannot be dealt from {len(order)} rows in {n_groups} groups: a group goes to one "
                "split whole, and the rest of a cut group to none; ask for less"
            )
            raise UsageError(_sentence(text, pool.notes))
        splits[split] = np.array(dealt, dtype=np.int64)
    return splits


def _check_enough(pool: Pool, asked: dict[str, int], remaining: int, labelled: int) -> None:
    if sum(asked.values()) > remaining:
        raise UsageError(_sentence(_too_few(pool, asked, "row", remaining), pool.notes))
    if asked["weak_train"] + asked["validation"] > labelled:
        asked = {split: size for split, size in asked.items() if split != "transfer"}
        raise UsageError(_sentence(_too_few(pool, asked, "labelled row", labelled), pool.notes))


def _too_few(pool: Pool, asked: dict[str, int], what: str, left: int) -> str:
    test = plural(int(pool.test.sum()), "row")
    return (
        f"{_sum_of(asked)} need {plural(sum(asked.values()), what)}, but only {left:,} {'is' if left == 1 else 'are'} "
        f"left once {test} {'is' if test == '1 row' else 'are'} set aside for test: ask for less, or add rows"
    )


def _sum_of(asked: dict[str, int]) -> str:
    return " + ".join(f"{split} {size}" for split, size in asked.items())


def _sentence(text: str, notes: Sequence[str]) -> str:
    return f"{text} ({'; '.join(notes)})" if notes else text


def _turn(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def _classes(raw: RawTask, name: str) -> tuple[tuple[str, ...], list[int]]:
    """The class names in their order, and each row's class number or -1."""
    names = [class_name(label) for label in raw.labels]
    classes = raw.classes or sorted_classes(label for label in names if label is not None)
    number = {label: place for place, label in enumerate(classes)}
    unknown = sorted({label for label in names if label is not None and label not in number})
    if unknown:
        raise UsageError(
            *(f"{name}: {label!r} is not one of the classes{nearest(label, classes)}" for label in unknown)
        )
    return classes, [-1 if label is None else number[label] for label in names]


def _distinct(
    raw: RawTask,
    kind: InputType,
    ids: Sequence[str],
    forms: Sequence[str],
    labels: Sequence[int],
    notes: list[str],
) -> list[_Row]:
    """One row per input; a training row has neither the normal form nor the group of a row of the test split.

    Inputs of one normal form that are not equal to the letter stay apart as rows, and share a group: no two splits have one.
    """
    tests = list(raw.test) if raw.test is not None else [False] * len(raw.inputs)
    groups = [class_name(group) for group in raw.groups] if raw.groups is not None else [None] * len(raw.inputs)
    of_test = {id_ for id_, test in zip(ids, tests, strict=True) if test}
    forms_of_test = {form for form, test in zip(forms, tests, strict=True) if test}
    groups_of_test = {group for group, test in zip(groups, tests, strict=True) if test and group is not None}

    counts: Counter[str] = Counter()
    copies: dict[str, list[int]] = {}
    for place, id_ in enumerate(ids):
        if not tests[place] and id_ in of_test:
            counts["both"] += 1
        elif not tests[place] and forms[place] in forms_of_test:
            counts["alike"] += 1
        elif not tests[place] and groups[place] in groups_of_test:
            counts["group"] += 1
        else:
            copies.setdefault(id_, []).append(place)
    writings: dict[str, list[str]] = {}  # normal form -> the ids that have it
    for id_, places in copies.items():
        writings.setdefault(forms[places[0]], []).append(id_)
    named_by_form = {
        form: min(
            (group for id_ in kept for place in copies[id_] if (group := groups[place]) is not None), default=None
        )
        for form, kept in writings.items()
    }
    counts["writings"] = sum(len(kept) for kept in writings.values() if len(kept) > 1)
    rows = []
    contradicting = ""  # what the first that are left out are called
    for id_, places in copies.items():
        known = {labels[place] for place in places} - {-1}
        if len(known) > 1:
            counts["texts"] += 1
            counts["contradicting"] += len(places)
            named = dict.fromkeys(name for place in places if (name := kind.called(raw.inputs[place])))
            contradicting = contradicting or " and ".join(named)
            continue
        counts["merged"] += len(places) - 1
        counts["several"] += len({group for place in places if (group := groups[place]) is not None}) > 1
        form = forms[places[0]]
        # Not both groups as one: a text like "yes" would chain most of them. Known by a hash, as the value may be a passage.
        first = named_by_form[form]
        alike = content_id({"normal form": form}) if len(writings[form]) > 1 else id_
        group = content_id({"group": first}) if first is not None else alike
        allowed = None if raw.allowed is None else tuple(raw.allowed[places[0]])
        label = known.pop() if known else -1
        rows.append(_Row(id_, raw.inputs[places[0]], label, group, tests[places[0]], allowed))
    one = kind.name
    wordings = {
        "merged": ("exact duplicate was merged", "exact duplicates were merged"),
        "texts": (f"{one} was left out for contradicting labels", f"{one}s were left out for contradicting labels"),
        "several": (f"{one} belongs to several groups and goes with", f"{one}s belong to several groups and go with"),
        "writings": (f"{one} differs from another", f"{one}s differ from others"),
        "alike": ("training row was left out for differing", "training rows were left out for differing"),
        "both": ("training row was left out because it is in", "training rows were left out because they are in"),
        "group": ("training row was left out for sharing", "training rows were left out for sharing"),
    }
    ends = {
        "texts": f" ({counts['contradicting']} rows{f', such as {contradicting}' if contradicting else ''})",
        "several": " the first by name",
        "writings": " in case, white space or Unicode form alone, and stay in one split with them",
        "alike": " from a test row in case, white space or Unicode form alone",
        "both": " the test file too",
        "group": " a group with a test row",
    }
    notes += [
        f"{counts[key]} {single if counts[key] == 1 else many}{ends.get(key, '')}"
        for key, (single, many) in wordings.items()
        if counts[key]
    ]
    return rows


def _balanced(rows: list[_Row], test: bool, part: str, classes: Sequence[str], notes: list[str]) -> list[_Row]:
    """Rows without the surplus of the larger class, where it is over 55% of the part; which, a hash of the id says."""
    sizes = [sum(row.label == label and row.test == test for row in rows) for label in (0, 1)]
    larger = 0 if sizes[0] > sizes[1] else 1
    if sizes[larger] * 100 <= MOST_OF_ONE_CLASS * sum(sizes) or min(sizes) == 0:
        return rows
    notes.append(f"class {classes[larger]} was down-sampled from {sizes[larger]} to {min(sizes)} {part}")
    of_larger = [row for row in rows if row.label == larger and row.test == test]
    surplus = {row.id for row in _by_hash(of_larger, "balance")[min(sizes) :]}
    return [row for row in rows if row.id not in surplus]


def _by_hash(rows: Iterable[_Row], purpose: str) -> list[_Row]:
    return sorted(rows, key=lambda row: _turn(f"{purpose}:{row.id}"))


def _stratified(candidates: Sequence[_Row], size: int) -> list[_Row]:
    """`size` rows with the candidates' own shares of the classes (largest remainders), by a hash of the id."""
    by_class: dict[int, list[_Row]] = {}
    for row in candidates:
        by_class.setdefault(row.label, []).append(row)
    quota = {label: size * len(rows) // len(candidates) for label, rows in by_class.items()}
    remainders = sorted(by_class, key=lambda label: (-(size * len(by_class[label]) % len(candidates)), label))
    for label in remainders[: size - sum(quota.values())]:
        quota[label] += 1
    return [row for label, rows in by_class.items() for row in _by_hash(rows, "test")[: quota[label]]]


def _whole_groups(candidates: Sequence[_Row], size: int) -> list[_Row]:
    """`size` rows group by group, in the order of a hash of the group; the last group is cut."""
    return sorted(candidates, key=lambda row: (_turn(f"test:{row.group}"), _turn(f"test:{row.id}")))[:size]


def _without_rest(rows: list[_Row], chosen: set[str], official: bool, notes: list[str]) -> list[_Row]:
    """Rows without those that may stand in no split: of the test file but not chosen, or of a test row's group."""
    groups = {row.group for row in rows if row.id in chosen}
    rest = {row.id for row in rows if row.id not in chosen and (row.test or row.group in groups)}
    if rest:
        why = "the test file has more than are needed" if official else "in a group with test rows"
        notes.append(f"{plural(len(rest), 'row')} left out of all splits: {why}")
    return [row for row in rows if row.id not in rest]
