"""What methods did beside learning, in sentences: labels changed or left out, values chosen, trainings ended early."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from outgrow.core.text.entry_names import display
from outgrow.results.predictions import OWN

Run = Mapping[str, Any]  # as in results.json


def besides_training(runs: Sequence[Run]) -> list[str]:
    """A sentence for each cell whose method did more than to learn; numbers are means over its seeds."""
    cells: dict[tuple[str, ...], list[Run]] = {}
    for run in (run for run in runs if run["test_set"] == OWN):
        cells.setdefault(tuple(display(run[name]) for name in ("strong", "weak", "method", "task")), []).append(run)
    sentences = []
    for (strong, weak, method, task), seeds in cells.items():
        parts = [part for part in (_chosen(seeds), _labels(seeds), _ended(seeds)) if part]
        if parts:
            sentences.append(f"{strong}, taught by {weak} with {method} on {task}, {'; it '.join(parts)}.")
    return sentences


def _chosen(runs: Sequence[Run]) -> str:
    """What a grid of values came to."""
    if "chosen_method" not in runs[0]:
        return ""
    counts = Counter(run["chosen_method"] for run in runs).most_common()
    times = ", ".join(f"{name} for {count}" if len(runs) > 1 else name for name, count in counts)
    seeds = f" of {len(runs)} seeds" if len(runs) > 1 else ""
    judge = runs[0]["method_chosen_by"]
    return f"tried {runs[0]['methods_tried']} values and took {times}{seeds}, by {judge} on validation"


def _labels(runs: Sequence[Run]) -> str:
    """What became of the weak labels before they were learned."""
    if "labels_changed" not in runs[0] and "n_learned" not in runs[0]:
        return ""
    taught = fmean(run["n_transfer"] for run in runs)
    learned = fmean(run.get("n_learned", run["n_transfer"]) for run in runs)
    changed = fmean(run.get("labels_changed", 0) for run in runs)
    parts = [f"learned from {learned:,.0f} of {taught:,.0f} rows"]
    if changed:
        parts.append(f"{changed:,.0f} labels changed")
    known = [
        (run["label_accuracy"], run["weak_label_accuracy"]) for run in runs if run.get("label_accuracy") is not None
    ]
    if known and all(before is not None for _, before in known):
        after, before = (fmean(values) for values in zip(*known, strict=True))
        parts.append(f"labels right on {after:.3f} of them, where the supervisor's are on {before:.3f}")
    return ", ".join(parts)


def _ended(runs: Sequence[Run]) -> str:
    """When a training that may stop early did."""
    if "stopped_at" not in runs[0]:
        return ""
    ends = sorted(run["stopped_at"] for run in runs)
    span = f"{ends[0]:.0%}" if ends[0] == ends[-1] else f"{ends[0]:.0%} to {ends[-1]:.0%}"
    return f"kept the weights that it had after {span} of its training"
