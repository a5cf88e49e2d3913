"""A finished plan -> the tables and facts that the run folder is written from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.examples import Labels, Strings
from outgrow.core.inputs.input_type import without_image
from outgrow.core.pool import Pool
from outgrow.execution.step import Step, kind_of, walk
from outgrow.experiment.equal_students import equal_students
from outgrow.experiment.near_copies import features_of, near_copies
from outgrow.experiment.overlaps import Overlaps
from outgrow.experiment.planning.plan import Plan, Run, more_than_ceiling, reporting
from outgrow.experiment.spec.task_entries import HARD
from outgrow.experiment.steps.choose import candidates, chosen
from outgrow.experiment.steps.job_files import fold_of
from outgrow.experiment.steps.order import hardest_easy
from outgrow.results.cells import NO_LESSON, PARAMETERS, Entry, RunToScore, cells_of
from outgrow.results.diagnostics.equivalents import CURVE
from outgrow.results.diagnostics.no_supervisor import ELICITED, UNTRAINED
from outgrow.results.diagnostics.sensitivity import CEILING_AT, STUDENT_AT
from outgrow.results.diagnostics.shares import TRUE_LABELS
from outgrow.results.predictions import HeldOut, ModelKey, Predictions

OWN_ACCURACY = "own_label_accuracy"  # of a run's facts: of the supervisor's labels, before true ones are among them
UNBALANCED = 0.05  # of the rows: how far shares must be from equal ones for a note
Open = Callable[[Step], Path]  # a step's folder in the store, verified


def collect(plan: Plan, open_step: Open) -> tuple[list[RunToScore], Predictions, list[str]]:
    """The runs to score, their predictions on test, and the notes for people. Loads each artifact once."""
    pools = {run.task: Pool.load(open_step(run.pool)) for run in plan.runs}
    images = plan.experiment.images
    tests = {task: _test_set(pool, images) for task, pool in pools.items()}
    predictions: dict[ModelKey, Any] = {}
    loaded: dict[Step, Any] = {}
    curves: dict[ModelKey, Any] = {}
    overlaps = Overlaps(open_step)

    def probabilities(step: Step, pool: Pool) -> Any:
        if step not in loaded:
            loaded[step] = np.load(open_step(step) / "probabilities.npy")
        return loaded[step]

    asked: list[RunToScore] = []
    whole: list[RunToScore] = []
    further: dict[tuple[str, str], HeldOut] = {}
    for run in plan.runs:
        pool = pools[run.task]
        models = _models(run)
        for role, step in (("weak", run.supervisor), ("student", run.student), ("ceiling", run.ceiling)):
            model = models[role]
            if step is not None and model is not None and model not in predictions:
                predictions[model] = probabilities(step, pool)[pool.test]
                if (curve := kind_of(step.kind).curve) is not None:
                    curves[model] = curve(open_step(step))
        for role, step in run.extras.items():
            model = _of_extra(run, role)
            if model not in predictions:
                predictions[model] = probabilities(step, pool)[pool.test]
        transfer = np.load(open_step(run.split) / "transfer.npy")
        labels = probabilities(run.supervisor, pool)[transfer]
        facts = _facts(run, pool, transfer, labels, open_step) | overlaps.facts(run, pool, transfer, labels)
        counts = {
            PARAMETERS[role]: plan.parameters.get(spec.name)
            for role, spec in (("weak", run.weak), ("strong", run.strong))
        }
        facts |= {name: count for name, count in counts.items() if count is not None}
        weak, strong, method = (Entry(spec.name, spec.shown) for spec in (run.weak, run.strong, run.method))
        asked.append(RunToScore(run.task, weak, strong, method, run.seed, models, facts))
        whole.append(asked[-1])
        if run.order is not None and (hard := _hard_rows(run, pool, open_step)).any():
            further.setdefault((run.task, HARD), tests[run.task].part(hard))
            models_there = {role: key and key._replace(test_set=HARD) for role, key in models.items()}
            for role, model in models.items():
                if model is not None and (there_too := models_there[role]) is not None:
                    predictions.setdefault(there_too, predictions[model][hard])
            whole.append(RunToScore(run.task, weak, strong, method, run.seed, models_there, facts, HARD))
        for name, test in run.also_test.items():
            title = f"{run.task}: also_test: {name}"
            if title not in pools:
                pools[title] = Pool.load(open_step(test.pool))
            there = pools[title]
            further.setdefault((run.task, name), _test_set(there, images))
            models_there = {role: key and key._replace(test_set=name) for role, key in models.items()}
            for role, step in (("weak", test.supervisor), ("student", test.student), ("ceiling", test.ceiling)):
                model = models_there[role]
                if step is not None and model is not None and model not in predictions:
                    predictions[model] = probabilities(step, there)
            whole.append(RunToScore(run.task, weak, strong, method, run.seed, models_there, facts, name))
    notes = [*_notes(plan, pools, open_step), *equal_students(plan.runs, asked, predictions), *prior_notes(asked)]
    notes += budget_notes(asked)
    return whole, Predictions(tests, predictions, curves, further), notes


def _hard_rows(run: Run, pool: Pool, open_step: Open) -> NDArray[np.bool_]:
    """Which of the task's test rows are harder than the easy rows that may be trained on."""
    assert run.order is not None
    difficulty = np.load(open_step(run.order) / "difficulty.npy")
    return np.asarray(difficulty[pool.test] > hardest_easy(pool, difficulty, run.easiest))


def _models(run: Run) -> dict[str, ModelKey | None]:
    weak, strong, method = run.weak.name, run.strong.name, run.method.name
    # Where somebody's labels leave rows out, the ceiling learned from the covered ones: it belongs to that supervisor. One
    # that is trained by a method's procedure belongs to that method.
    shared = None if run.weak.partial else weak
    return {
        "weak": ModelKey(run.task, "weak", weak, None, None, run.seed),
        "student": ModelKey(run.task, "student", weak, strong, method, run.seed),
        "ceiling": None
        if run.ceiling is None
        else ModelKey(run.task, "ceiling", None if shared else weak, strong, method if run.alike else None, run.seed),
    }


def _of_extra(run: Run, role: str) -> ModelKey:
    """Whose predictions those of an extra are: those of a ceiling serve every supervisor, as the ceiling itself."""
    shared = role.startswith(CURVE) or (role.startswith(CEILING_AT) and not run.weak.partial)
    own = role.startswith(STUDENT_AT) or (role.startswith(CEILING_AT) and run.alike)
    method = run.method.name if own else None
    return ModelKey(run.task, role, None if shared else run.weak.name, run.strong.name, method, run.seed)


def _test_set(pool: Pool, images: bool) -> HeldOut:
    rows = np.flatnonzero(pool.test)
    shown = (pool.input_type.preview(pool.inputs[row]) for row in rows.tolist())
    return HeldOut(
        pool.ids[rows],
        tuple(shown if images else map(without_image, shown)),
        pool.labels[rows],
        pool.groups[rows],
        pool.classes,
        pool.input_type.name,
        None if pool.allowed is None else pool.allowed[rows],
    )


def _facts(run: Run, pool: Pool, transfer: Any, weak: Any, open_step: Open) -> dict[str, Any]:
    covered = ~np.isnan(weak).any(axis=1)
    known = covered & (pool.labels[transfer] >= 0)
    rows = transfer[known]
    right = Labels(pool.ids[rows], weak[known]).hard == pool.labels[rows]
    facts: dict[str, Any] = {
        "n_transfer": int(covered.sum()),
        "n_left_out": int((~covered).sum()),
        "weak_label_accuracy": float(right.mean()) if len(rows) else None,
    }
    if not run.strong.able.learns:
        facts["no_ceiling"] = NO_LESSON
    if not run.strong.able.pretrained:
        facts[UNTRAINED] = True
    changes = [one.parts.labels for one in run.method.of]
    if all(part is not None and not part.needs_supervisor for part in changes):
        facts[ELICITED] = True
    if run.ceiling is not None and (more := more_than_ceiling(run)) is not None:
        facts["more_than_ceiling"] = more
    student, tries = _chosen_method(run, open_step)
    facts |= tries
    chosen_l2 = {}
    if run.weak.able.budget is not None:  # the supervisor beneath chooses, and true labels are put among its own
        found = _told(run.supervisor.parents["weak_labels"], open_step)
        chosen_l2 = {"weak": found["l2"]} if "l2" in found else {}
    for role, step in (("weak", run.supervisor), ("student", student), ("ceiling", run.ceiling)):
        found = _told(step, open_step)
        if "l2" in found:
            chosen_l2[role] = found["l2"]
        if role == "weak":
            facts |= {name: found[name] for name in (TRUE_LABELS, OWN_ACCURACY) if name in found}
        if role == "student" and "stopped_at" in found:
            facts["stopped_at"] = found["stopped_at"]
    facts |= _learned(student, pool.groups, transfer, covered, open_step)
    facts |= _prior(run, student, pool, transfer, open_step)
    return {**facts, "chosen_l2": chosen_l2} if chosen_l2 else facts


def _told(step: Step | None, open_step: Open) -> Mapping[str, Any]:
    """What a step says of the model that it made."""
    says = kind_of(step.kind).facts if step is not None else None
    return says(step, open_step(step)) if step is not None and says is not None else {}


def _chosen_method(run: Run, open_step: Open) -> tuple[Step, dict[str, Any]]:
    """The student that a grid of values chose, with the choice and the number of tries; else the student."""
    if not run.method.candidates:
        return run.student, {}
    place = chosen(run.student, open_step(run.student))
    judge = "weak labels" if run.method.select_on == "weak" else "the truth (oracle)"
    facts = {
        "chosen_method": run.method.candidates[place].name,
        "methods_tried": len(run.method.candidates),
        "method_chosen_by": judge,
    }
    return candidates(run.student)[place], facts


def _learned(student: Step, groups: Strings, transfer: Any, covered: Any, open_step: Open) -> dict[str, Any]:
    """How many rows the student itself learned from, where its method leaves some out; what the labels part did."""
    leaf = (candidates(student) or [student])[0]
    facts: dict[str, Any] = {}
    for step in walk([leaf]):
        says = kind_of(step.kind).labels
        if says is not None:
            facts |= says(open_step(step))
            if leaf.parents.get("weak_labels") != step:  # another student labelled: every row that was covered
                facts.pop("n_learned", None)
            break
    if "fold" in leaf.params:
        facts["n_learned"] = int(np.isin(fold_of(transfer, groups, *leaf.params["fold"]), transfer[covered]).sum())
    return facts


def _prior(run: Run, student: Step, pool: Pool, transfer: Any, open_step: Open) -> dict[str, Any]:
    """The shares of the classes that the loss takes from the labels which the student learned, by class, where it does so."""
    tried = run.method.of
    if not any(one.parts.loss.takes_shares for one in tried) or not run.strong.able.learns:
        return {}
    leaf = (candidates(student) or [student])[0]
    if "weak_labels" not in leaf.parents:
        return {}
    rows = fold_of(transfer, pool.groups, *leaf.params["fold"]) if "fold" in leaf.params else transfer
    labels = np.load(open_step(leaf.parents["weak_labels"]) / "probabilities.npy")[rows]
    labels = labels[~np.isnan(labels).any(axis=1)]
    if not len(labels):
        return {}
    shares = labels.astype(np.float64).mean(axis=0)
    return {"prior": dict(zip(pool.classes, shares.tolist(), strict=True))}


def prior_notes(asked: Sequence[RunToScore]) -> list[str]:
    """What `confidence` hardened by, where that is not the balanced prior of the paper: the mean over a cell's seeds."""
    notes = []
    for runs in cells_of(asked):
        found = [run.facts["prior"] for run in runs if "prior" in run.facts]
        if not found:
            continue
        shares = {name: fmean(one[name] for one in found) for name in found[0]}
        if sum(abs(share - 1 / len(shares)) for share in shares.values()) / 2 < UNBALANCED:
            continue
        listed = ", ".join(
            f'"{name}" {share:.2f}' for name, share in sorted(shares.items(), key=lambda item: -item[1])[:5]
        )
        first = runs[0]
        notes.append(
            f"{first.task}: {first.method.name} hardens {first.strong.name}'s predictions by the shares of "
            f"{first.weak.name}'s labels ({listed}{', …' if len(shares) > 5 else ''}); `prior: balanced` is the paper's rule"
        )
    return notes


def budget_notes(asked: Sequence[RunToScore]) -> list[str]:
    """How many of a supervisor's labels are true ones, and what its accuracies mean: means over seeds, once a task."""
    seen: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for run in asked:
        if TRUE_LABELS in run.facts:
            seen.setdefault((run.task, run.weak.name), {})[run.seed] = run.facts
    notes = []
    for (task, weak), found in seen.items():
        true, of = (fmean(facts[name] for facts in found.values()) for name in (TRUE_LABELS, "n_transfer"))
        right = [(facts["weak_label_accuracy"], facts[OWN_ACCURACY]) for facts in found.values()]
        with_truth, own = (fmean(values) for values in zip(*right, strict=True))
        notes.append(
            f"{task}: {true:,.0f} of the {of:,.0f} labels of {weak} are true ones: they are right on {with_truth:.3f} of "
            f"transfer, its own on {own:.3f}; its accuracy on test is its own, so gain and PGR count what the truth brings"
        )
    return notes


def _near_copies(runs: Sequence[Run], pool: Pool, open_step: Open) -> list[str]:
    """Test rows with nearly the same row in training, where a model of the task has features of whole rows."""
    if pool.parts is not None:
        return []
    trained = [step for run in runs for step in (run.ceiling, run.student, run.supervisor) if step is not None]
    found = features_of(trained)  # a ceiling stands on its own model's features alone
    if found is None:
        return []
    features, whose = found
    folders = [open_step(split) for split in dict.fromkeys(run.split for run in runs)]
    training = np.unique(
        np.concatenate([np.load(at / f"{part}.npy") for at in folders for part in ("weak_train", "transfer")])
    )
    values = np.load(open_step(features) / "features.npy", mmap_mode="r")
    return near_copies(pool, values, training, whose)


def _notes(plan: Plan, pools: dict[str, Pool], open_step: Open) -> list[str]:
    notes = [f"{task}: {note}" for task, pool in pools.items() for note in pool.notes]
    for task, pool in pools.items():
        notes += [
            f"{task}: {note}" for note in _near_copies([run for run in plan.runs if run.task == task], pool, open_step)
        ]
    oracles = [method for method in plan.experiment.methods if method.knows_truth and "(oracle)" not in method.name]
    notes += [f"{method.name}: is an oracle: the truth decides what its students learn" for method in oracles]
    for method in plan.experiment.methods:
        of_method = [run for run in plan.runs if run.method == method and run.ceiling is not None]
        if any(run.alike for run in of_method):
            notes.append(
                f"{method.name}: its ceilings are trained as its students are, by the truth (`ceiling: plain`: not)"
            )
        elif of_method and (more := more_than_ceiling(of_method[0])) is not None:
            notes.append(
                f"{method.name}: its students {more}, and their ceiling does not: PGR holds what that alone brings"
            )
    trained = [step for run in plan.runs for step in (run.supervisor, run.student, run.ceiling) if step is not None]
    for step in sorted(reporting(trained), key=lambda step: step.label):
        says = kind_of(step.kind).notes
        notes += [f"{step.label}: {note}" for note in says(open_step(step))] if says is not None else []
    return notes
