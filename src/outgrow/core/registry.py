"""Names -> things: built in, from an installed package's entry points, or `path/to/file.py:Name`."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError, UsageError, foreign_code
from outgrow.core.identity import digest_file

BUILT_IN: dict[str, dict[str, str]] = {
    "inputs": {
        "text": "outgrow.core.inputs.input_type:Text",
        "choice": "outgrow.core.inputs.choice:ChoiceType",
        "image": "outgrow.core.inputs.image:ImageType",
    },
    "tasks": {"sentiment": "outgrow.tasks.sentiment:sentiment"},
    "models": {
        "static": "outgrow.models.heads.static:Static",
        "probe": "outgrow.models.heads.probe:Probe",
        "finetune": "outgrow.models.finetune.options:Finetune",
        "pixels": "outgrow.models.vision.pixels:Pixels",
        "convnet": "outgrow.models.vision.convnet:Convnet",
        "majority": "outgrow.models.majority:Majority",
        "prompt": "outgrow.models.prompt.options:Prompt",
        "given": "outgrow.models.label_sources.options:Given",
        "join": "outgrow.models.label_sources.options:Join",
        "simulate": "outgrow.models.label_sources.options:Simulate",
        "budget_of_truth": "outgrow.models.label_sources.options:BudgetOfTruth",
    },
    "methods": {
        "naive": "outgrow.methods.losses:Naive",
        "confidence": "outgrow.methods.losses:Confidence",
        "entropy": "outgrow.methods.losses:Entropy",
        "product": "outgrow.methods.losses:Product",
        "window": "outgrow.methods.losses:Window",
        "reverse_kl": "outgrow.methods.losses:ReverseKl",
        "harden": "outgrow.methods.labels:Harden",
        "balance": "outgrow.methods.labels:Balance",
        "filter": "outgrow.methods.labels:Filter",
        "relabel": "outgrow.methods.labels:Relabel",
        "gce": "outgrow.methods.noisy_labels:Gce",
        "confident_learning": "outgrow.methods.noisy_labels:ConfidentLearning",
        "kmeans": "outgrow.methods.elicitation:KMeans",
        "ccs": "outgrow.methods.elicitation:Ccs",
        "icm": "outgrow.methods.elicitation:Icm",
        "bootstrap": "outgrow.methods.procedures:Bootstrap",
        "self_train": "outgrow.methods.procedures:SelfTrain",
        "early_stop": "outgrow.methods.procedures:EarlyStop",
        "generative": "outgrow.methods.procedures:Generative",
        "lp_ft": "outgrow.methods.procedures:LpFt",
    },
    "metrics": {
        "accuracy": "outgrow.results.metrics.scores:ACCURACY",
        "balanced_accuracy": "outgrow.results.metrics.scores:BALANCED_ACCURACY",
        "macro_f1": "outgrow.results.metrics.scores:MACRO_F1",
        "auroc": "outgrow.results.metrics.scores:AUROC",
        "log_loss": "outgrow.results.metrics.scores:LOG_LOSS",
        "brier": "outgrow.results.metrics.scores:BRIER",
        "ece": "outgrow.results.metrics.scores:ECE",
    },
    "executors": {
        "local": "outgrow.execution.executors.in_process:InProcess",
        "processes": "outgrow.execution.executors.processes:Processes",
        "ray": "outgrow.execution.executors.ray:Ray",
    },
    "step kinds": {
        "pool": "outgrow.experiment.steps.data:POOL",
        "cut": "outgrow.experiment.steps.data:CUT",
        "true_labels": "outgrow.experiment.steps.true_labels:TRUE_LABELS",
        "further_rows": "outgrow.experiment.steps.also_test:FURTHER_ROWS",
        "split": "outgrow.experiment.steps.data:SPLIT",
        "contrasts": "outgrow.experiment.steps.labels:CONTRASTS",
        "order": "outgrow.experiment.steps.order:ORDER",
        "easy_split": "outgrow.experiment.steps.data:EASY_SPLIT",
        "given": "outgrow.experiment.steps.data:GIVEN",
        "no_answers": "outgrow.experiment.steps.data:NO_ANSWERS",
        "features": "outgrow.experiment.steps.models.heads:FEATURES",
        "head": "outgrow.experiment.steps.models.heads:HEAD",
        "head_answers": "outgrow.experiment.steps.models.heads:HEAD_ANSWERS",
        "choose": "outgrow.experiment.steps.choose:CHOOSE",
        "chosen_answers": "outgrow.experiment.steps.choose:CHOSEN_ANSWERS",
        "custom": "outgrow.experiment.steps.models.custom:CUSTOM",
        "tokens": "outgrow.experiment.steps.models.finetune:TOKENS",
        "language": "outgrow.experiment.steps.models.finetune:LANGUAGE",
        "finetune": "outgrow.experiment.steps.models.finetune:FINETUNE",
        "finetune_answers": "outgrow.experiment.steps.models.finetune:FINETUNE_ANSWERS",
        "prompt": "outgrow.experiment.steps.models.prompt:PROMPT",
        "labels": "outgrow.experiment.steps.labels:LABELS",
        "join": "outgrow.experiment.steps.labels:JOIN",
        "simulate": "outgrow.experiment.steps.labels:SIMULATE",
        "shuffle": "outgrow.experiment.steps.controls:SHUFFLE",
        "dataset": "outgrow.teaching.steps:DATASET",
        "cheap_labels": "outgrow.teaching.steps:CHEAP_LABELS",
        "lesson": "outgrow.teaching.steps:LESSON",
        "corrected": "outgrow.teaching.steps:CORRECTED",
        "careful_order": "outgrow.teaching.steps:CAREFUL_ORDER",
        "handed_over": "outgrow.teaching.steps:HANDED_OVER",
    },
}

# Modules with an attribute `TASKS`, a mapping of further members by name: to add one is a row there.
TABLES = {"tasks": "outgrow.tasks.named.table"}

PLUGIN_MODULE = "outgrow_plugin_"
FILES: dict[str, str] = {}  # SHA-256 of a plug-in file -> where it is on this machine, as found or as `remember` says


@dataclass(frozen=True)
class Member:
    """Where a name leads, and what of it belongs in a step's key."""

    name: str
    target: str  # "module:attribute" or "path/to/file.py:Name"
    identity: Mapping[str, str]  # built in: the name; a package: name, distribution, version; a file: Name, SHA-256

    def load(self) -> Any:
        """The thing itself. Raises OutgrowError if its file changed, or if its module cannot be imported."""
        place, _, attribute = self.target.rpartition(":")
        if "file" in self.identity and digest_file(Path(place)) != self.identity["file"]:
            raise OutgrowError(f"{self.name}: was changed while the run went on; give the same command again")
        try:
            with foreign_code(self.target):
                module = _import_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
        except OutgrowError:
            raise
        except Exception as error:
            raise OutgrowError(f"{self.target}: cannot be imported: {type(error).__name__}: {error}") from error
        if not hasattr(module, attribute):
            known = [name for name in vars(module) if not name.startswith("_")]
            raise UsageError(f"{self.target}: the file has no {attribute!r}{nearest(attribute, known)}")
        return getattr(module, attribute)


def find(group: str, name: str) -> Member:
    """The member `name` of a group of `BUILT_IN`. Raises UsageError with the nearest known names."""
    if is_file_name(name):
        path = Path(name.rpartition(":")[0])
        if not path.is_file():
            raise UsageError(f"{name}: there is no file {path}")
        identity = {"file": digest_file(path), "name": name.rpartition(":")[2]}
        FILES[identity["file"]] = str(path)
        return Member(name, name, identity)
    if name in BUILT_IN[group]:
        return Member(name, BUILT_IN[group][name], {"name": name})
    if name in _of_table(group):
        return Member(name, f"{TABLES[group]}:{name}", {"name": name})
    for entry in entry_points(group="outgrow." + group.replace(" ", "_")):
        if entry.name == name and entry.dist is not None:
            origin = {"name": name, "distribution": entry.dist.name, "version": entry.dist.version}
            return Member(name, entry.value, origin)
    raise UsageError(f'unknown {group.removesuffix("s")} "{name}"' + nearest(name, names(group)))


def find_identity(group: str, identity: Mapping[str, str]) -> Member:
    """The member of a group with this identity. Raises OutgrowError where its file or package is not here any more."""
    name = identity["name"]
    if "file" in identity:
        if identity["file"] not in FILES:
            raise OutgrowError(
                f"the plug-in file of {name} (SHA-256 {identity['file'][:12]}…) is not there; put it back "
                "(`outgrow predict` takes it by --plugin)"
            )
        name = f"{FILES[identity['file']]}:{name}"
    found = find(group, name)
    if dict(found.identity) != dict(identity):
        raise OutgrowError(f"{name}: has changed since it was used; give the same command again")
    return found


def name_of(group: str, thing: Any) -> str | None:
    """The name by which `find` finds a class or function again: registered, or of its plug-in file; None: there is none."""
    if str(thing.__module__).startswith(PLUGIN_MODULE):
        return f"{sys.modules[thing.__module__].__file__}:{thing.__name__}"
    target = f"{thing.__module__}:{thing.__qualname__}"
    return next((name for name in names(group) if find(group, name).target == target), None)


def identity_of(group: str, thing: Any) -> Mapping[str, str]:
    """The identity by which `find_identity` finds a class or function again.

    Raises OutgrowError where it is neither in the registry nor in a plug-in file.
    """
    name = name_of(group, thing)
    if name is None:
        raise OutgrowError(
            f"{thing.__module__}:{thing.__qualname__}: is not registered under outgrow.{group}; name it by "
            "path/to/file.py:Name or register it"
        )
    return find(group, name).identity


def remember_file(path: Path) -> None:
    """Note a plug-in file for `find_identity`. Raises UsageError where there is none."""
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    FILES[digest_file(path)] = str(path)


def remember(sources: Mapping[str, Any]) -> None:
    """Note where plug-in files are, of all sources by fingerprint: a worker finds them as its order says."""
    FILES.update({key: place for key, place in sources.items() if isinstance(place, str) and place.endswith(".py")})


def names(group: str) -> list[str]:
    """Every name of a group that works here, sorted."""
    return sorted(
        {
            *BUILT_IN[group],
            *_of_table(group),
            *(entry.name for entry in entry_points(group="outgrow." + group.replace(" ", "_"))),
        }
    )


def _of_table(group: str) -> Mapping[str, Any]:
    """The members of a group that are rows of a table."""
    if group not in TABLES:
        return {}
    table: Mapping[str, Any] = importlib.import_module(TABLES[group]).TASKS
    return table


def is_file_name(name: str) -> bool:
    """Whether a name has the form `path/to/file.py:Name`."""
    return name.rpartition(":")[0].endswith(".py")


LISTED = 20  # names in one sentence


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: `; did you mean "x"?`, else the names there are."""
    known = sorted(known)
    close = difflib.get_close_matches(name.lower(), known, n=2, cutoff=0.6)
    if close:
        return "; did you mean " + " or ".join(f'"{guess}"' for guess in close) + "?"
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"; there is {', '.join(known[:LISTED])}{more}" if known else ""


def _import_file(path: Path) -> Any:
    # Named by content, so that an edited file is not answered from sys.modules and two files of one name don't meet.
    name = f"{PLUGIN_MODULE}{digest_file(path)[:16]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise OutgrowError(f"{path}: is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
