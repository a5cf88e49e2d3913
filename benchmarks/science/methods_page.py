"""docs/guide/methods.md, from the docstrings of every registered method, label source and baseline, and what was measured.

python benchmarks/science/methods.py      # calls this
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outgrow.core.registry import BUILT_IN, find
from outgrow.methods.contract import Method
from outgrow.models.label_sources.options import BudgetOfTruth, Join, Simulate
from outgrow.results.statistics.comparison import holm
from outgrow.results.statistics.drawn_tasks import drawn

HEAD = """# Methods

<!-- Written by `python benchmarks/science/methods.py` from docstrings and what it measured: change those, not this page. -->

What a student does with weak labels. A method has at most one part that changes the **labels**, one **loss** and one
**procedure**, and a list composes them; without a loss of its own it learns by `naive`:

```yaml
methods:
  - naive
  - {confidence: {alpha: 0.75}}
  - [filter, confidence, self_train] # labels, loss, procedure, in any order
  - {confidence: {alpha: [0.25, 0.5, 0.75]}} # a grid
  - "my_method.py:MyMethod" # `outgrow new method my_method.py` writes one to start from
```

A list for an option that takes one value is a **grid**: every combination is trained, and the one whose predictions agree
best with the weak labels on validation is the student. `outgrow show` and `results.json` say which it was and how many
were tried. With `select_on: truth` the truth decides instead: an oracle, marked so wherever it shows. All students and
ceilings of a model share one budget; a ceiling learns from the truth by `naive`, from all rows of transfer that have a weak
label (all of them, but for `given` labels that leave some out). The ceilings of `generative` and `lp_ft` begin where their
students begin, and `ceiling: same_procedure` lets every ceiling go its method's way ([experiments](experiments.md)).

`kmeans`, `ccs` and `icm` need no supervisor: where a run has one of them, each cell says how far its student is beyond the
best of these, and the control *no teacher* counts them.

`outgrow list methods` shows all with their options. In the formulas p is the student's probabilities and w the weak label.
"""

PARTS = {
    "loss": (
        "Losses",
        "One loss an example, of logits and weak labels; heads and finetuned students alike, any number of classes.",
    ),
    "labels": (
        "Labels",
        "Made once, of the weak labels of transfer, before anything is learned. `results.json` tells how many rows are left "
        "(`n_learned`), how many labels changed and how many of the rest are right.",
    ),
    "procedure": (
        "Procedures",
        "Several trainings, of which the last is the student. Those in between are ordinary steps: kept, and shared with "
        "other steps that need the same.",
    ),
}  # fmt: skip

SOURCES = """
## Supervisors that are no single model

Under `weak`, beside models and `given` labels:
"""

BASELINES = """
## Baselines as students

Under `strong`. They tell what a supervisor's labels add to nothing, and to what a language model knows anyway.
"""


def page(found: dict[str, Any] | None) -> str:
    """The whole page as Markdown; without a measurement, without the table."""
    lines = [HEAD]
    members = {name: find("methods", name).load() for name in BUILT_IN["methods"]}
    for part, (title, about) in PARTS.items():
        lines += [f"\n## {title}\n\n{about}\n"]
        lines += [_entry(name, thing) for name, thing in members.items() if part in _parts(thing)]
    lines += [SOURCES, _entry("join", Join, ("voters",)), _entry("simulate", Simulate)]
    lines.append(_entry("budget_of_truth", BudgetOfTruth, ("of",)))
    lines += [
        BASELINES,
        *(_entry(name, find("models", name).load(), ("checkpoint",)) for name in ("majority", "prompt")),
    ]
    if found is not None:
        lines.append(_measured(found))
    return "\n".join(lines).rstrip() + "\n"


def write(found: Path, target: Path) -> None:
    """Write the page where it belongs."""
    target.write_text(page(json.loads(found.read_text()) if found.is_file() else None), encoding="utf-8")


def _parts(thing: type[Method]) -> set[str]:
    return {part for part in PARTS if getattr(thing, part) is not getattr(Method, part)}


def _entry(name: str, thing: Any, hidden: Sequence[str] = ()) -> str:
    fields = {key: field for key, field in thing.model_fields.items() if key not in hidden}
    options = ", ".join(
        f"`{key}`" if field.is_required() else f"`{key}: {json.dumps(field.default)}`" for key, field in fields.items()
    )
    text = " ".join(line.strip() for line in (inspect.getdoc(thing) or "").splitlines() if line.strip())
    return f"### `{name}`\n\n{text}\n" + (f"\nOptions: {options}\n" if options else "")


def _measured(found: dict[str, Any]) -> str:
    tasks = found["tasks"]
    lines = [
        "\n## What helps here\n",
        "Our own table, at this scale and as found: supervisor heads on wordllama's static embeddings (300 rows seen), "
        "student heads on MiniLM's frozen features, 650 rows to teach, 600 to test, 10 seeds; "
        "`benchmarks/science/methods.py` has the rest and makes it again.\n",
        "| task | weak | naive student | ceiling | PGR of naive |\n| --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {_number(row['weak_accuracy'])} | {_number(row['student_accuracy'])} | "
            f"{_number(row['ceiling_accuracy'])} | {_interval(row['pgr'], percent=True)} |"
            for name, row in tasks.items()
        ),
        "\nHow far each method's student is above (or below) naive's, in points of accuracy; **bold**: its 95% interval, "
        "crossed over seeds and test rows and not corrected for their number, leaves 0 out in that task. "
        "Over tasks: the mean with its interval, and p with "
        "Holm's correction for their number; intervals have none, so one may leave 0 out beside a p over .05. "
        "p, drawn: the same where these tasks are a sample of others like them (Student's t over tasks).\n",
        f"| method | {' | '.join(tasks)} | over tasks | p | p, drawn |\n|" + " --- |" * (len(tasks) + 4),
    ]  # fmt: skip
    over_others = _as_drawn(found)
    order = sorted(found["over_tasks"], key=lambda name: -found["over_tasks"][name]["estimate"])
    for name in order:
        mean = found["over_tasks"][name]
        cells = [_points(found["differences"][name][task]) for task in tasks]
        cells_over = (_interval(mean, percent=True), _p(mean["p_holm"]), _p(over_others[name]))
        lines.append(f"| `{name}` | {' | '.join((*cells, *cells_over))} |")
    lines.append(f"\n{_verdict(found, order)}\n")
    return "\n".join(lines)


def _as_drawn(found: dict[str, Any]) -> dict[str, float | None]:
    """p of each method's mean over tasks as drawn, with Holm's correction; each task's own noise is part of their spread."""
    names = list(found["differences"])
    effects = [[one["estimate"] for one in found["differences"][name].values()] for name in names]
    return dict(zip(names, holm([drawn(values, [0.0] * len(values)).p for values in effects]), strict=True))


def _verdict(found: dict[str, Any], order: Sequence[str]) -> str:
    """What the table shows, in words, from its numbers."""
    over = found["over_tasks"]
    shown = {name for name in order if over[name]["p_holm"] is not None and over[name]["p_holm"] < 0.05}
    sentences = []
    better = [name for name in order if name in shown and over[name]["estimate"] > 0]
    worse = [name for name in reversed(order) if name in shown and over[name]["estimate"] < 0]
    for names, words in (
        (better, "Better than naive over these tasks, beyond chance"),
        (worse, "Worse than naive, beyond chance"),
        ([name for name in order if name not in shown], "No difference has been shown for"),
    ):
        listed = ", ".join(f"`{name}`" for name in names) or "none"
        sentences.append(f"{words}: {listed}." if not words.endswith("for") else f"{words} {listed}.")
    singly = [one["p_holm"] for name in order for one in found["differences"][name].values()]
    passing = sum(p is not None and p < 0.05 for p in singly)
    over_others = _as_drawn(found)
    elsewhere = [f"`{name}`" for name in order if (p := over_others[name]) is not None and p < 0.05]
    sentences.append(
        f"With the tasks as drawn from others like them, a difference from naive is shown for {', '.join(elsewhere) or 'none'}."
    )
    flat = [name for name, task in found["tasks"].items() if task["pgr"]["status"] != "ok"]
    if flat:
        sentences.append(
            f"In {' and '.join(flat)} the ceiling has not been shown to be above the supervisor at this scale, "
            "so that no gap to recover has been shown."
        )
    sentences.append(
        f"Of the {len(singly)} differences in single tasks, {passing or 'none'} pass Holm's correction "
        "over them all: which method pays on which task is not shown here, and nothing but labels of your own tells."
    )
    return " ".join(sentences)


def _number(interval: dict[str, Any]) -> str:
    return f"{interval['estimate']:.3f}"


def _points(one: dict[str, Any]) -> str:
    text = f"{100 * one['estimate']:+.1f}"
    return f"**{text}**" if one["low"] > 0 or one["high"] < 0 else text


def _interval(one: dict[str, Any], *, percent: bool) -> str:
    if one["status"] != "ok":
        return str(one["status"])
    if one["low"] is None or one["high"] is None:
        return f"{100 * one['estimate']:.1f}"
    return f"{100 * one['estimate']:.1f} [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"


def _p(value: float | None) -> str:
    return "" if value is None else "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
