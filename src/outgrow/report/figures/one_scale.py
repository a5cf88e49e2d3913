"""Panels that show one quantity, on one scale: what is longer in one is more than in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ENDS = ("low", "high")  # columns that may lie beyond the limits of a figure: estimates may not

Limits = tuple[float, float]


def on_one_scale(
    spec: Mapping[str, Any], panels: Mapping[str, Sequence[Mapping[str, Any]]], limits: Limits | None
) -> Mapping[str, Any]:
    """The specification of layers with axes of numbers that reach over all panels; of others, the same.

    limits: how far an axis goes for the ends of an interval; what lies beyond is cut off at the edge.
    """
    layers = [dict(layer) for layer in spec.get("layer", ())]
    rows = [row for panel in panels.values() for row in panel]
    for channel in ("x", "y"):
        drawn = [layer for layer in layers if channel in layer["encoding"]]
        axes = [layer["encoding"][channel] for layer in drawn]
        if not axes or any(axis.get("type") != "quantitative" or "domain" in axis.get("scale", {}) for axis in axes):
            continue
        values = [value for layer in drawn for value in _values(spec, layer, channel, rows, limits)]
        if any(axis.get("scale", {}).get("zero") for axis in axes):
            values.append(0.0)
        if not values:
            continue
        domain = [min(values), max(values)]
        for layer in drawn:
            axis = layer["encoding"][channel]
            scale = {key: value for key, value in (axis.get("scale") or {}).items() if key != "zero"}
            encoding = {**layer["encoding"], channel: {**axis, "scale": {**scale, "domain": domain, "nice": True}}}
            layer |= {"encoding": encoding, "mark": {**_mark(layer["mark"]), "clip": limits is not None}}
    return {**spec, "layer": layers} if layers else spec


def _mark(mark: Any) -> Mapping[str, Any]:
    return {"type": mark} if isinstance(mark, str) else mark


def _values(
    spec: Mapping[str, Any],
    layer: Mapping[str, Any],
    channel: str,
    rows: Sequence[Mapping[str, Any]],
    limits: Limits | None,
) -> Iterable[float]:
    """What a layer draws along a channel: of the panels' rows, or of a table of its own."""
    data = layer.get("data") or {}
    own = data.get("values") or spec.get("datasets", {}).get(data.get("name"))
    for name in (channel, f"{channel}2"):
        field = layer["encoding"].get(name, {}).get("field")
        for row in own or rows:
            if isinstance(value := row.get(field), int | float):
                yield min(max(value, limits[0]), limits[1]) if limits and field in ENDS else value
