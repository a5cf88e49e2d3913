"""What `prompt` takes: options that can be checked without torch."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from outgrow.core.examples import class_name
from outgrow.models.checkpoints.families import encoder
from outgrow.models.contract import Location, Model


class Prompt(Model):
    """A causal language model asked in words and never trained: the log-probability of each class's word after a text.

    Zero-shot, or with `shots` labelled examples before the text (Brown et al. 2020, arXiv 2005.14165), the prompting
    baselines of Burns et al. 2023 (arXiv 2312.09390): as a student its shots have weak labels, as a ceiling or a
    supervisor true ones. `calibrate` divides by what the model says of texts without content (Zhao et al. 2021,
    *Calibrate before use*, arXiv 2102.09690).

    A choice has no words: a candidate's score is the log-probability of its tokens after the context, in the mean (or, with
    `per_token: false`, in sum). `calibrate` then subtracts that after no context, which is the domain-conditional PMI of
    Holtzman et al. 2021 (*Surface form competition*, arXiv 2104.08315).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    step = "prompt"
    form = "transformer"
    reads = frozenset({"text", "choice"})
    trained = False

    checkpoint: Annotated[str, Field(min_length=1)]
    template: str = "Text: {text}\nLabel: {label}"
    words: dict[str, str] | None = None  # class -> what the model says for it; None: the class's own name
    shots: Annotated[int, Field(ge=0, le=100)] = 0
    calibrate: bool = True
    per_token: bool = Field(default=True, exclude_if=lambda per_token: per_token)  # of choices: the mean, not the sum
    max_length: Annotated[int, Field(ge=8)] | None = None  # tokens of a prompt; None: the model's limit, at most 2048

    @field_validator("words", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        # In YAML a class may be called 0, or true: the same spelling as everywhere.
        return {class_name(name) or "": word for name, word in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        before, _, after = self.template.partition("{label}")
        if before.count("{text}") != 1 or not self.template.endswith("{label}") or after:
            raise ValueError(
                "the template needs {text} once and ends with {label}, after which the model goes on, not "
                f"{self.template!r}"
            )
        if self.words is not None:
            if not all(word.strip() for word in self.words.values()):
                raise ValueError("a class has an empty word; the model can say nothing for it")
            if len(set(self.words.values())) < len(self.words):
                raise ValueError("two classes have the same word, so that no answer tells them apart")
        return self

    @property
    def learns(self) -> bool:
        """Whether labels stand in its prompt: a model that is only prompted, without examples, stays what it is."""
        return self.shots > 0

    def identity(self) -> dict[str, Any]:
        """Every option but the checkpoint's name."""
        return self.model_dump(mode="json", exclude={"checkpoint"})

    def problems(self, location: Location) -> list[str]:
        """A checkpoint that is known to be no causal language model."""
        family = encoder(location)
        if family is None:
            return []
        return [
            f"prompt:{location.name}: a {family} model continues no text, so it cannot be prompted: name a causal language "
            "model, such as smollm2"
        ]
