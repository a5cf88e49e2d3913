"""What a finetuned model reads of a pool: texts as tokens, candidates of choices, or pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.inputs.image import Image
from outgrow.core.pool import Pool
from outgrow.models.checkpoints.tokens import Candidates, Readable, Tokens, read_texts
from outgrow.models.contract import Location
from outgrow.models.vision.pictures import Pictures


def read_inputs(
    location: Location, inputs: Sequence[Any], *, max_length: int | None, chat_template: bool
) -> Tokens | Pictures:
    """Inputs as a checkpoint reads them. Raises UsageError on what it does not read, and on options for texts."""
    if not _are_pictures(inputs):
        return read_texts(location, inputs, max_length=max_length, chat_template=chat_template)
    if max_length is not None or chat_template:
        raise UsageError(f"finetune:{location.name}: `max_length` and `chat_template` are for texts: leave them out")
    return Pictures.open(location, inputs)


def opened(folder: Path, pool: Pool, location: Location) -> Readable:
    """What `read_inputs` gave for the readings of a pool, from the folder that it was saved in."""
    if _are_pictures(pool.readings):
        return Pictures.open(location, pool.readings)
    texts = Tokens.load(folder)
    return texts if pool.parts is None else Candidates(texts, pool.parts.places)


def _are_pictures(inputs: Sequence[Any]) -> bool:
    return len(inputs) > 0 and isinstance(inputs[0], Image)
