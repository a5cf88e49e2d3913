"""A causal language model asked for the class of a text: the log-probability of each class's word, calibrated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import Floats, Ints
from outgrow.models.checkpoints.loading import (
    is_causal,
    positions,
    quiet_load,
    read_config,
    read_tokenizer,
    read_weights,
)
from outgrow.models.checkpoints.pooling import padded_in_front
from outgrow.models.checkpoints.tokens import batches, check_ids, longest, reach_of
from outgrow.models.checkpoints.weight_files import folder_of
from outgrow.models.contract import Location
from outgrow.models.prompt.options import Prompt

LONGEST = 2048  # tokens of a prompt unless asked for more
EMPTY = ("N/A", "[MASK]", "")  # texts without content, as in the paper
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Answers:
    """Probabilities `[n, classes]` float32, and how many texts had to be cut."""

    probabilities: NDArray[np.float32]
    truncated: int


def chosen_shots(labels: Ints, count: int, classes: int) -> Ints:
    """Positions of the first `count` labelled examples, taking the classes in turn as long as they last."""
    waiting = [np.flatnonzero(labels == c).tolist() for c in range(classes)]
    taken: list[int] = []
    while len(taken) < count and any(waiting):
        taken += [queue.pop(0) for queue in waiting if queue][: count - len(taken)]
    return np.array(sorted(taken), dtype=np.int64)


def ask(
    location: Location,
    options: Prompt,
    classes: Sequence[str],
    inputs: Sequence[str],
    shots: Sequence[tuple[str, int]] = (),
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> Answers:
    """Ask a checkpoint about `inputs`, after `shots` (text, class number).

    Raises UsageError on words that fit no class and on shots that leave no room, OutgrowError on a checkpoint that cannot
    be loaded.
    """
    where = f"prompt:{location.name}"
    words = _words(options, classes, where)
    tokenizer, model = load(location, where)
    model.to(device)
    examples = "".join(f"{_filled(options.template, text, words[label])}\n\n" for text, label in shots)
    limit = int(min(options.max_length or LONGEST, reach_of(tokenizer, positions(model), where)))
    prompts = _Prompts(tokenizer, options.template, examples, words, limit, where)
    rows = [prompts.of(text) for text in inputs]
    truncated = prompts.truncated
    check_ids(max(max(one, default=0) for one in [*rows, *prompts.words]), model, where)
    empty = [prompts.of(text) for text in EMPTY] if options.calibrate else []
    logs = _normalised(_scores(model, [*rows, *empty], prompts.words, device, progress))
    if options.calibrate:
        # Divided by their mean over the empty texts, in logarithms: a word of many tokens has less than a float holds.
        logs = _normalised(logs[: len(rows)] - np.logaddexp.reduce(logs[len(rows) :], axis=0))
    return Answers(np.exp(logs).astype(np.float32), truncated)


def _normalised(logs: Floats) -> Floats:
    """Logarithms of a distribution, each row."""
    normalised: Floats = logs - np.logaddexp.reduce(logs, axis=1, keepdims=True)
    return normalised


def _words(options: Prompt, classes: Sequence[str], where: str) -> list[str]:
    words = options.words or {name: name for name in classes}
    if set(words) != set(classes):
        raise UsageError(
            f"{where}: `words` names {', '.join(words)}, and the task's classes are {', '.join(classes)}: one word a class"
        )
    return [words[name] for name in classes]


def _filled(template: str, text: str, label: str) -> str:
    before, _, after = template.partition("{text}")
    return before + text + after.removesuffix("{label}") + label


class _Prompts:
    """Texts as token ids with the examples before them; a text that is too long is cut, nothing else."""

    def __init__(
        self, tokenizer: Any, template: str, examples: str, words: Sequence[str], limit: int, where: str
    ) -> None:
        self.tokenizer, self.truncated = tokenizer, 0
        before, _, after = template.removesuffix("{label}").partition("{text}")
        end = after.rstrip()
        # A word's tokens begin with the space before it: cut there, they are the ones that the model has learned.
        self.start, self.end = examples + before, end
        self.words = [self.ids(after[len(end) :] + word) for word in words]
        if any(not ids for ids in self.words):
            raise UsageError(f"{where}: the tokenizer has no token for one of the words {', '.join(words)}")
        self.room = limit - max(map(len, self.words))
        if len(self._ids("")) >= self.room:
            what, less = (
                ("examples", "fewer `shots`") if examples else ("template", "a shorter one, or a larger `max_length`")
            )
            raise UsageError(
                f"{where}: the {what} leave{'s' * (not examples)} no room for a text in {limit} tokens: give {less}"
            )

    def ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return found

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(self.start + text + self.end, verbose=False)["input_ids"]
        return found

    def of(self, text: str) -> list[int]:
        row = self._ids(text)
        if len(row) > self.room:
            self.truncated += 1
            return longest(text, self._ids, self.room)
        return row


def _scores(model: Any, rows: list[list[int]], words: list[list[int]], device: str, progress: Progress) -> Floats:
    """Log-probability of each word after each prompt, `[rows, classes]`."""
    import torch

    # What is read is the prompt with all of a word but its last token: one pass for all words of one token.
    readings: dict[tuple[int, ...], int] = {}
    places = [[readings.setdefault((*row, *word[:-1]), len(readings)) for word in words] for row in rows]
    texts = list(readings)
    tails = max(map(len, words))
    wanted = sorted({token for word in words for token in word})
    column = {token: place for place, token in enumerate(wanted)}
    found = np.zeros((len(texts), tails, len(wanted)))  # the last `tails` positions, the tokens that words hold
    lengths = np.array([len(text) for text in texts])
    done = 0
    with torch.no_grad():
        for batch in batches(lengths):
            # Padded in front, so that the end of every text is at the same place and no other logits are made.
            inputs = padded_in_front([texts[text] for text in batch.tolist()], device)
            kept = min(tails, int(lengths[batch].max()))
            logits = model(**inputs, logits_to_keep=kept).logits
            logs = logits.float().log_softmax(dim=-1)[..., wanted].cpu().numpy()
            found[batch, tails - kept :] = logs
            done += len(batch)
            progress(done, len(texts))
    scores = np.zeros((len(rows), len(words)))
    for row, of_row in enumerate(places):
        for c, (reading, word) in enumerate(zip(of_row, words, strict=True)):
            ends = range(tails - len(word), tails)
            scores[row, c] = sum(found[reading, end, column[token]] for end, token in zip(ends, word, strict=True))
    if not np.isfinite(scores).all():
        raise OutgrowError("the prompted model gives log-probabilities that are not numbers")
    return scores


def load(location: Location, where: str) -> tuple[Any, Any]:
    """The tokenizer and the causal language model of a checkpoint. Raises UsageError on an encoder."""
    folder = folder_of(location)
    with quiet_load(where, folder):
        config = read_config(folder)
        if not is_causal(config, where):
            raise UsageError(f"{where}: a {config.model_type!r} model is an encoder, which cannot be prompted")
        return read_tokenizer(folder), read_weights(where, folder, "AutoModelForCausalLM", config).eval()
