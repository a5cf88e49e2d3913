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

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.identity import digest_file

BUILT_IN: dict[str, dict[str, str]] = {
    "tasks": {"sentiment": "outgrow.tasks.sentiment:sentiment"},
    "models": {
        "static": "outgrow.models.heads.static:Static",
        "probe": "outgrow.models.heads.probe:Probe",
        "finetune": "outgrow.models.finetune.options:Finetune",
        "majority": "outgrow.models.majority:Majority",
        "prompt": "outgrow.models.prompt.options:Prompt",
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
        "bootstrap": "outgrow.methods.procedures:Bootstrap",
        "self_train": "outgrow.methods.procedures:SelfTrain",
        "early_stop": "outgrow.methods.procedures:EarlyStop",
        "generative": "outgrow.methods.procedures:Generative",
        "lp_ft": "outgrow.methods.procedures:LpFt",
    },
    "step kinds": {
        "pool": "outgrow.experiment.steps.data:POOL",
        "split": "outgrow.experiment.steps.data:SPLIT",
        "given": "outgrow.experiment.steps.data:GIVEN",
        "features": "outgrow.experiment.steps.heads:FEATURES",
        "head": "outgrow.experiment.steps.heads:HEAD",
        "choose": "outgrow.experiment.steps.choose:CHOOSE",
        "custom": "outgrow.experiment.steps.custom:CUSTOM",
        "tokens": "outgrow.experiment.steps.finetune:TOKENS",
        "language": "outgrow.experiment.steps.finetune:LANGUAGE",
        "finetune": "outgrow.experiment.steps.finetune:FINETUNE",
        "prompt": "outgrow.experiment.steps.prompt:PROMPT",
        "labels": "outgrow.experiment.steps.labels:LABELS",
        "join": "outgrow.experiment.steps.labels:JOIN",
        "simulate": "outgrow.experiment.steps.labels:SIMULATE",
        "shuffle": "outgrow.experiment.steps.controls:SHUFFLE",
    },
}


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
    """The member `name` of a group (tasks, models, methods, step kinds). Raises UsageError with the nearest known names."""
    if is_file_name(name):
        path = Path(name.rpartition(":")[0])
        if not path.is_file():
            raise UsageError(f"{name}: there is no file {path}")
        return Member(name, name, {"file": digest_file(path), "name": name.rpartition(":")[2]})
    if name in BUILT_IN[group]:
        return Member(name, BUILT_IN[group][name], {"name": name})
    for entry in entry_points(group="outgrow." + group.replace(" ", "_")):
        if entry.name == name and entry.dist is not None:
            origin = {"name": name, "distribution": entry.dist.name, "version": entry.dist.version}
            return Member(name, entry.value, origin)
    raise UsageError(f'unknown {group.removesuffix("s")} "{name}"' + nearest(name, names(group)))


def names(group: str) -> list[str]:
    """Every name of a group that works here, sorted."""
    return sorted(
        {*BUILT_IN[group], *(entry.name for entry in entry_points(group="outgrow." + group.replace(" ", "_")))}
    )


def is_file_name(name: str) -> bool:
    """Whether a name has the form `path/to/file.py:Name`."""
    return name.rpartition(":")[0].endswith(".py")


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: `; did you mean "x"?`, else the names there are."""
    known = sorted(known)
    close = difflib.get_close_matches(name.lower(), known, n=2, cutoff=0.6)
    if close:
        return "; did you mean " + " or ".join(f'"{guess}"' for guess in close) + "?"
    return f"; there is {', '.join(known)}" if known else ""


def _import_file(path: Path) -> Any:
    # Named by content, so that an edited file is not answered from sys.modules and two files of one name don't meet.
    name = f"outgrow_plugin_{digest_file(path)[:16]}"
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
