"""How a run was made, as a reader wants it: versions, seeds, time, work, notes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outgrow.core.text.units import shown_duration
from outgrow.report.scene import Scene
from outgrow.report.section import Data, Section
from outgrow.results.run_results import Results

FIRST = ("outgrow", "python", "torch", "transformers", "numpy", "device", "threads", "platform")


def facts(name: str, results: Results, written: str, work: Mapping[str, float]) -> dict[str, Any]:
    """The run's name, facts as pairs of term and value, notes, and its experiment.

    `work` is what all steps behind it took: steps, seconds, flops.
    """
    cells = results.cells
    seeds = sorted({seed for cell in cells for seed in cell["seeds"]})
    pairs = []
    if cells:
        pairs += [("seeds", _seeds(seeds)), ("test examples", _span([cell["n_test"] for cell in cells]))]
    transfer = [run["n_transfer"] for run in results.runs if run.get("n_transfer") is not None]
    if transfer:
        pairs.append(("weak labels a student learns from", _span(transfer)))
    if work.get("seconds"):
        steps = f" in {work['steps']:,} steps" if work.get("steps") else ""
        pairs.append(("time", f"{shown_duration(work['seconds'])} of work{steps}"))
    if work.get("flops"):
        pairs.append(("work, as estimated", f"{_flops(work['flops'])} FLOPs"))
    known = [key for key in FIRST if key in results.environment]
    for key in [*known, *(key for key in results.environment if key not in FIRST)]:
        pairs.append((key, _text(results.environment[key])))
    return {"name": name, "facts": pairs, "notes": list(results.notes), "yaml": without_places(written)}


def without_places(text: str) -> str:
    """An experiment's YAML with each file by its name alone: pages are sent to others, and paths name this machine's users."""
    import yaml

    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    if not isinstance(content, dict):
        return text  # of a folder that somebody edited
    return yaml.safe_dump(_by_name(content), sort_keys=False, allow_unicode=True)


def _by_name(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_by_name(key): _by_name(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_by_name(one) for one in value]
    if not isinstance(value, str):
        return value
    kind, colon, path = value.partition(":")
    if colon and Path(path).is_absolute():  # probe:/models/minilm
        return f"{kind}:{Path(path).name}"
    return Path(value).name if Path(value).is_absolute() else value


def _text(value: Any) -> str:
    """One value, several, or names with the hash of what they stand for."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} ({str(one)[:12]})" for name, one in value.items())
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def _seeds(seeds: list[int]) -> str:
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(str(seed) for seed in seeds)


def _span(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _flops(value: float) -> str:
    """`1.2 × 10¹²`."""
    head, _, power = f"{value:.1e}".partition("e")
    return f"{head} × 10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _data(scene: Scene) -> Data:
    return Data({"runs": [facts(run.name, run.results, run.yaml, run.work) for run in scene.runs]})


PROVENANCE = Section("made", "How it was made", _data)
