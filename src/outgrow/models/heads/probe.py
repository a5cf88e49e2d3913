"""`probe`: frozen hidden states of a pretrained encoder or causal language model, one vector a text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from outgrow.core.errors import UsageError
from outgrow.core.inputs.image import Image
from outgrow.core.inputs.input_type import InputType
from outgrow.models.checkpoints.families import encoder
from outgrow.models.checkpoints.loading import (
    is_causal,
    positions,
    quiet_load,
    random_weights,
    read_config,
    read_tokenizer,
    read_weights,
)
from outgrow.models.checkpoints.safe_folder import read_object
from outgrow.models.checkpoints.tokens import (
    limited,
)
from outgrow.models.checkpoints.weight_files import folder_of, quiet
from outgrow.models.contract import (
    IMAGE_CLASSIFIER,
    SENTENCE_TRANSFORMERS,
    FeatureModel,
    Features,
    LinearHead,
    Location,
    Module,
    Reader,
    Saved,
)
from outgrow.models.heads.hidden_states import Opened, read_states
from outgrow.models.heads.onnx_graph import write_graph
from outgrow.models.vision.backbone import picture_reader
from outgrow.models.vision.classifier import open_classifier, open_head


class Probe(FeatureModel):
    """A frozen transformer through transformers' Auto classes, in float32 or bfloat16, from safetensors only.

    Linear probes as in Burns et al. (arXiv 2312.09390), on a layer and by a pooling of one's choice.
    """

    reads = frozenset({"text", "image"})
    saved = Saved("A linear head on frozen hidden states", *SENTENCE_TRANSFORMERS)

    # Index into the hidden states: 0 the embeddings, -1 the last; "all": their mean over all layers; None: see `open`.
    layer: int | Literal["all"] | None = None
    # None: see `open`; of pictures `cls` and `own` too, what the family's image classifier in transformers reads.
    pooling: Literal["mean", "last", "cls", "own"] | None = None
    max_length: Annotated[int, Field(ge=1)] | None = None  # None: the model's own limit, at most 512
    # What weights and activations are held and multiplied in; float32 is left out, so that its keys stay.
    precision: Literal["fp32", "bf16"] = Field(default="fp32", exclude_if=lambda precision: precision == "fp32")
    # Random weights in place of the checkpoint's, the same for all seeds: what its features owe to pretraining.
    untrained: bool = Field(default=False, exclude_if=lambda untrained: not untrained)

    def problems(self, location: Location) -> list[str]:
        """A layer that the folder's config.json says is not there."""
        config = Path(location.path or "") / "config.json"
        if not isinstance(self.layer, int) or location.path is None or not config.is_file():
            return []
        values = read_object(config)
        layers = next((values[name] for name in ("num_hidden_layers", "n_layer", "n_layers") if name in values), None)
        return _layer_problems(self.layer, layers, location) if isinstance(layers, int) else []

    @classmethod
    def saved_for(cls, inputs: InputType) -> Saved | None:
        """Of pictures as transformers' image classifier."""
        return IMAGE_CLASSIFIER if inputs.name == "image" else cls.saved

    @property
    def pretrained(self) -> bool:
        """Unless it is `untrained`."""
        return not self.untrained

    @property
    def exports_onnx(self) -> bool:
        """Of texts in float32, which the graph computes in."""
        return self.pooling not in ("cls", "own") and self.precision == "fp32"

    @property
    def linear(self) -> bool:
        """With `pooling: own`, as the head of an image classifier is."""
        return self.pooling == "own"

    @property
    def whole(self) -> bool:
        """With `pooling: own`, as an image classifier."""
        return self.pooling == "own"

    def as_student(self, location: Location, inputs: InputType) -> Probe:
        """Of an encoder the mean over all its layers, where neither layer nor pooling is asked for; of pictures `own`.

        The lower layers know the words, the upper ones what they mean together. A head on the truth of 2,200 texts is right
        on 2.5 points more of unseen ones than on the last layer of MiniLM (docs/develop/log.md).
        """
        asked = self.layer is not None or self.pooling is not None
        if self.saved_for(inputs) is IMAGE_CLASSIFIER:
            if asked and (self.layer, self.pooling) != (None, "own"):
                raise UsageError(
                    f"probe:{location.name}: a student of pictures is kept as transformers' image classifier, whose head "
                    "reads what `pooling: own` means: leave `layer` and `pooling` out"
                )
            return self.model_copy(update={"pooling": "own"})
        if asked or encoder(location) is None:
            return self
        return self.model_copy(update={"layer": "all"})

    def write_body(self, folder: Path, location: Location) -> tuple[list[Module], dict[str, Any]]:
        """The transformer and its tokenizer, with modules for its layer and its pooling."""
        opened = self.open(location)
        tokenizer, body = opened.tokenizer, opened.model
        layers, width = body.config.get_text_config().num_hidden_layers, body.config.get_text_config().hidden_size
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token  # any will do: the mask hides it
        tokenizer.padding_side = "right"  # as here: padded on the left, the first word is not in the first place
        tokenizer.model_max_length = opened.limit
        body.config.output_hidden_states = opened.layer != layers
        with quiet():
            body.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        (folder / "sentence_bert_config.json").write_text(
            json.dumps({"max_seq_length": opened.limit, "do_lower_case": False}, indent=2) + "\n", encoding="utf-8"
        )
        modules: list[Module] = [("", "Transformer", None)]
        if opened.layer != layers:
            modules.append(_layers(folder, opened.layer, layers, width))
        pooling = {
            "word_embedding_dimension": width,
            "pooling_mode_mean_tokens": opened.pooling == "mean",
            "pooling_mode_lasttoken": opened.pooling == "last",
        }
        (folder / f"{len(modules)}_Pooling").mkdir()
        modules.append((f"{len(modules)}_Pooling", "Pooling", pooling))
        reading = {"layer": opened.layer, "pooling": opened.pooling, "max_length": opened.limit}
        return modules, reading | ({} if self.precision == "fp32" else {"precision": self.precision})

    def write_onnx(self, path: Path, location: Location, head: LinearHead) -> None:
        """The transformer, its pooling and the head."""
        write_graph(path, self.open(location), head)

    def features(
        self, inputs: Sequence[Any], location: Location, device: str, progress: Callable[[int, int], None]
    ) -> Features:
        """Pooled hidden states `[n, d]` of `inputs`, texts or pictures. A text without any token gets zeros.

        Raises UsageError on a layer or length the model lacks or a checkpoint that is not a text model, OutgrowError on
        weights that cannot be loaded or give values that are not numbers.
        """
        return self.reader(location, device)(inputs, progress)

    def reader(self, location: Location, device: str) -> Reader:
        """`features` of a model that is loaded once, with its first inputs: what they are decides how."""

        @cache
        def loaded(pictures: bool) -> Reader:
            return (self._of_pictures if pictures else self._of_texts)(location, device)

        return lambda inputs, progress: loaded(len(inputs) > 0 and isinstance(inputs[0], Image))(inputs, progress)

    def _of_pictures(self, location: Location, device: str) -> Reader:
        if self.untrained:
            raise UsageError(f"probe:{location.name}: `untrained` is of models that read texts")
        return picture_reader(location, self.layer, self.pooling, device, self.precision)

    def _of_texts(self, location: Location, device: str) -> Reader:
        import torch

        opened = self.open(location)
        opened.model.to(device, torch.bfloat16 if self.precision == "bf16" else torch.float32)
        return lambda inputs, progress: read_states(opened, inputs, device, progress)

    def write_whole(self, folder: Path, location: Location, head: LinearHead) -> dict[str, Any]:
        """transformers' image classifier with this head."""
        classifier = open_classifier(f"probe:{location.name}", folder_of(location), head.classes)
        classifier.set_head(head)
        classifier.save(folder)
        return {"head": classifier.head, **({} if self.precision == "fp32" else {"precision": self.precision})}

    @classmethod
    def open_whole(cls, folder: Path, options: Mapping[str, Any]) -> tuple[Probe, Location, LinearHead]:
        """The body of what `write_whole` wrote, and the head."""
        own = dict(options)
        head = str(own.pop("head"))
        location = Location(str(folder), str(folder), None, None, "", 0)
        return cls(checkpoint=str(folder), pooling="own", **own), location, open_head(folder, head)

    def open(self, location: Location) -> Opened:
        """Tokenizer and model, on the CPU, and how they are to be read. Raises as `features` does."""
        where, folder = f"probe:{location.name}", folder_of(location)
        if self.pooling in ("cls", "own"):
            raise UsageError(f"{where}: pooling is `mean` or `last` for texts: `{self.pooling}` is of pictures")
        with quiet_load(where, folder):
            config = read_config(folder)
            causal = is_causal(config, where)
            tokenizer = read_tokenizer(folder)
            if self.untrained:
                model = random_weights("AutoModel", config)
            else:  # a pooler is not read here
                model = read_weights(where, folder, "AutoModel", config, lambda model, name: "pooler" in name).eval()
        layers = model.config.get_text_config().num_hidden_layers
        if isinstance(self.layer, int) and (problems := _layer_problems(self.layer, layers, location)):
            raise UsageError(*problems)
        # By default, of encoders the mean of the last layer. Of causal models the last token, the only one that has read
        # the whole text, of the middle layer: the upper ones turn towards the next word. SmolLM2-135M on SST-2, 2,000
        # examples, accuracy of a head on truth: last token of layer 15 of 30 .852, of the last .798; mean of layer 15 .523
        # (a few huge dimensions), of the last .759.
        usual_layer, usual_pooling = (layers // 2, "last") if causal else (layers, "mean")
        layer = (
            self.layer if self.layer == "all" else (usual_layer if self.layer is None else self.layer) % (layers + 1)
        )
        limit = limited(tokenizer, positions(model), self.max_length, where)
        return Opened(tokenizer, model, layer, self.pooling or usual_pooling, limit, location.name)


def _layer_problems(layer: int, layers: int, location: Location) -> list[str]:
    if -layers - 1 <= layer <= layers:
        return []
    sentence = (
        f"probe:{location.name}: there is no layer {layer}: the model has {layers} layers, so give 0 (the embeddings) "
        f"to {layers}, or -1 (the last) to {-layers - 1}"
    )
    return [sentence]


def _layers(folder: Path, layer: int | Literal["all"], layers: int, width: int) -> tuple[str, str, dict[str, Any]]:
    """The module for a layer that is not the last: a mean over the layers from there on, all its weight on the first.

    For all layers a plain mean.
    """
    from safetensors.numpy import save_file

    name = "WeightedLayerPooling"
    (folder / f"1_{name}").mkdir()
    start = 0 if layer == "all" else layer
    weights = np.zeros(layers + 1 - start, np.float32)
    weights[: None if layer == "all" else 1] = 1
    save_file({"layer_weights": weights}, folder / f"1_{name}" / "model.safetensors")
    config = {"word_embedding_dimension": width, "layer_start": start, "num_hidden_layers": layers}
    return f"1_{name}", name, config
