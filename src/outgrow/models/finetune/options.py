"""What `finetune` takes: options that can be checked without torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from outgrow.core.inputs.input_type import InputType
from outgrow.models.checkpoints.safe_folder import read_object
from outgrow.models.contract import IMAGE_CLASSIFIER, Location, Model, Saved

Tracker = Literal["mlflow", "tensorboard", "trackio", "wandb"]
FORMER: Mapping[str, Any] = {"fsdp": False, "fsdp_config": {}}  # options that are gone, and stay in the keys of results
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Lora(BaseModel):
    """Adapters of rank r on every linear layer of the body (Hu et al. 2021, arXiv 2106.09685); the head learns whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    r: Annotated[int, Field(ge=1, le=4096)] = 8
    alpha: Annotated[int, Field(ge=1)] = 16  # adapters are scaled by alpha / r
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Finetune(Model):
    """A pretrained encoder or causal language model, trained whole, by LoRA or by its biases, with a head for the classes.

    Every option is part of a result's identity except the checkpoint's name (its bytes are). See docs/guide/finetuning.md.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    reads = frozenset({"text", "image"})
    step = "finetune"
    form = "transformer"
    stops = True
    scores_parts = True
    starts = frozenset({"texts", "probe"})
    saved = Saved(
        "A finetuned model",
        "transformers",
        "from transformers import pipeline\n\n"
        'pipeline("text-classification", folder, top_k=None)(texts)  # every class with its probability',
        "from transformers import pipeline\n\n"
        'score = pipeline("text-classification", folder, function_to_apply="none")\n'
        "score(texts)  # of context and answer as one text: higher is better",
    )

    checkpoint: Annotated[str, Field(min_length=1)]
    rows: Annotated[int, Field(ge=1)] | None = None  # as a supervisor: learn from the first `rows` of weak_train only
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 2
    lr: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 5e-5
    batch: Annotated[int, Field(ge=1)] = 32  # examples a step of the optimizer
    tokens: Annotated[int, Field(ge=1)] = (
        4096  # padded tokens a part of a batch: bounds memory, changes nothing learned
    )
    warmup: Share = 0.1  # share of the steps in which the rate rises to `lr`; then it falls as a cosine
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    clip: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0  # the norm that gradients are cut to
    lora: Lora | None = None
    bitfit: bool = False  # biases and the head alone (Ben Zaken et al. 2021, arXiv 2106.10199)
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpointing: bool = False  # compute activations twice instead of keeping them
    max_length: Annotated[int, Field(ge=1)] | None = None  # None: the model's own limit, at most 512
    pooling: Literal["own", "mean"] = "own"  # own: what transformers' sequence classifier of the family reads
    chat_template: bool = False  # put each text as a user's message
    early_stop: Annotated[int, Field(ge=1, le=10)] | None = None  # points of ten without a smaller loss on validation
    callbacks: tuple[Tracker, ...] = ()
    keep: Literal["students"] | None = None  # students' weights stay in the store
    # Each holds a shard of the model, on a GPU of its own where GPUs compute.
    processes: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="before")
    @classmethod
    def _plain_lists(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and isinstance(value.get("callbacks"), list):
            return {**value, "callbacks": tuple(value["callbacks"])}
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.lora is not None and self.bitfit:
            raise ValueError("`lora` and `bitfit` both say which weights are trained: give one of them")
        if self.keep and self.pooling != "own":
            raise ValueError(
                "`pooling: mean` with `keep` would leave a student that transformers' pipeline cannot load: "
                "leave one of them out"
            )
        return self

    @classmethod
    def saved_for(cls, inputs: InputType) -> Saved | None:
        """Of pictures as transformers' image classifier."""
        return replace(IMAGE_CLASSIFIER, what="A finetuned image classifier") if inputs.name == "image" else cls.saved

    @property
    def first_rows(self) -> int | None:
        """`rows`."""
        return self.rows

    @property
    def validates(self) -> str | None:
        """Its own early stopping."""
        return None if self.early_stop is None else "stops early by it"

    @property
    def frozen(self) -> Any:
        """A probe of the checkpoint."""
        limit = {} if self.max_length is None else {"max_length": self.max_length}
        return {"probe": {"checkpoint": self.checkpoint, **limit}}

    def identity(self) -> dict[str, Any]:
        """The options that decide what is learned of given rows: every field but checkpoint, rows, keep and processes."""
        return {**self.model_dump(mode="json", exclude={"checkpoint", "rows", "keep", "processes"}), **FORMER}

    @classmethod
    def of(cls, checkpoint: str, identity: Mapping[str, Any]) -> Self:
        """The options of a checkpoint that have this `identity`."""
        return cls(checkpoint=checkpoint, **{name: value for name, value in identity.items() if name not in FORMER})

    def reading(self) -> dict[str, Any]:
        """The options that decide how a text becomes tokens."""
        return {"max_length": self.max_length, "chat_template": self.chat_template}

    def problems(self, location: Location) -> list[str]:
        """What can be seen to be wrong with these options here without loading the checkpoint, a sentence each."""
        wrong = [
            f"finetune:{location.name}: `{name}` needs one more package: pip install {package}"
            for package, name in self._packages().items()
            if importlib.util.find_spec(package) is None
        ]
        config = Path(location.path or "") / "config.json"
        if self.pooling == "mean" and location.path is not None and config.is_file():
            architectures = read_object(config).get("architectures") or []
            if any("CausalLM" in name or "LMHead" in name for name in architectures):
                wrong.append(
                    f"finetune:{location.name}: `pooling: mean` is for encoders: in a causal model only the last "
                    "token has read the whole text"
                )
        return wrong

    def _packages(self) -> dict[str, str]:
        return {name: f"callbacks: [{name}]" for name in self.callbacks} | ({"peft": "lora"} if self.lora else {})
