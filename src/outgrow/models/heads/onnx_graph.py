"""A student of texts as one ONNX graph: from token ids and their mask to a logit a class."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.models.checkpoints.pooling import pooled
from outgrow.models.checkpoints.weight_files import quiet
from outgrow.models.contract import LinearHead
from outgrow.models.heads.hidden_states import Opened

PACKAGES = ("onnx", "onnxscript")  # that torch's exporter imports
ONE_FILE = 1 << 28  # parameters: with more, what protobuf allows is not enough, and the weights get a file of their own


def missing_packages() -> list[str]:
    """What has to be installed before a graph can be written."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def write_graph(path: Path, opened: Opened, head: LinearHead) -> None:
    """Write `input_ids` and `attention_mask` `[texts, tokens]` -> `logits` `[texts, classes]`, padded behind the texts.

    Raises OutgrowError where torch cannot export the model.
    """
    import torch
    from torch import nn

    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = opened.model
            self.weight, self.bias = (nn.Parameter(torch.tensor(part)) for part in (head.weight, head.bias))

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            read = self.body(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
            states = read.hidden_states
            chosen = torch.stack(states).mean(dim=0) if opened.layer == "all" else states[opened.layer]
            features = pooled(chosen, attention_mask, opened.pooling)
            lengths = torch.linalg.vector_norm(features, dim=1, keepdim=True).clamp_min(1e-12)
            logits: torch.Tensor = (features * (head.norm / lengths)) @ self.weight + self.bias
            return logits

    texts, tokens = torch.export.Dim("texts"), torch.export.Dim("tokens", max=opened.limit)
    ids = torch.ones(2, min(5, opened.limit), dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 3:] = 0
    shape = {0: texts, 1: tokens}
    try:
        with _silent():
            program: Any = torch.onnx.export(
                Graph().eval(),
                (ids, mask),
                input_names=["input_ids", "attention_mask"],
                output_names=["logits"],
                dynamic_shapes={"input_ids": shape, "attention_mask": shape},
                dynamo=True,
                verbose=False,
            )
        if any(isinstance(size, int) for size in program.model.graph.inputs[0].shape):
            raise ValueError("its graph takes texts of one number and length only")
    except Exception as error:  # whatever an operator that ONNX does not know ends in
        raise OutgrowError(
            f"--onnx: probe:{opened.name}: torch cannot write this model as an ONNX graph; leave --onnx out"
        ) from error
    _without_traces(program.model)
    program.save(str(path), external_data=sum(one.numel() for one in opened.model.parameters()) > ONE_FILE)


def _without_traces(model: Any) -> None:
    """Take out where each operator stands in the sources: paths of this machine."""
    model.metadata_props.clear()
    for graph in (model.graph, *(function.graph for function in model.functions.values())):
        graph.metadata_props.clear()
        for node in graph:
            node.metadata_props.clear()
            node.doc_string = None
            for value in node.outputs:
                value.metadata_props.clear()
        for value in (*graph.inputs, *graph.initializers.values()):
            value.metadata_props.clear()


@contextmanager
def _silent() -> Iterator[None]:
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
