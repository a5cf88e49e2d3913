"""A causal language model that scores candidates: how likely is each of them after the context?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Floats
from outgrow.core.inputs.choice import Choice
from outgrow.models.checkpoints.loading import positions
from outgrow.models.checkpoints.pooling import padded_in_front
from outgrow.models.checkpoints.tokens import batches, check_ids, reach_of
from outgrow.models.contract import Location
from outgrow.models.prompt.ask import LONGEST, Answers, Progress, load
from outgrow.models.prompt.options import Prompt

NOTHING = "\n"  # the context that calibration compares with, where the tokenizer has no token for a beginning


def ask_choices(
    location: Location,
    options: Prompt,
    inputs: Sequence[Choice],
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> Answers:
    """Probabilities of each choice's candidates, `[n, k]`, 0 where it has fewer than k.

    What is too long loses the beginning of its context. Raises OutgrowError on a checkpoint that cannot be loaded.
    """
    where = f"prompt:{location.name}"
    tokenizer, model = load(location, where)
    model.to(device)
    limit = int(min(options.max_length or LONGEST, reach_of(tokenizer, positions(model), where)))
    before = tokenizer.bos_token or NOTHING
    texts: dict[tuple[str, str], int] = {}
    places = [
        [texts.setdefault((before + beginning, end), len(texts)) for beginning, end in one.ends] for one in inputs
    ]
    bare = (
        [[texts.setdefault((before, end), len(texts)) for _, end in one.ends] for one in inputs]
        if options.calibrate
        else []
    )
    rows, truncated = _tokens(tokenizer, list(texts), limit)
    check_ids(max((max(ids, default=0) for ids, _ in rows), default=0), model, where)
    scores = _scores(model, rows, device, progress, options.per_token)
    widest = max((len(row) for row in places), default=0)
    logits = np.full((len(inputs), widest), -np.inf)
    for row, of_row in enumerate(places):
        logits[row, : len(of_row)] = scores[of_row] - (scores[bare[row]] if options.calibrate else 0)
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Answers((exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32), truncated)


def _tokens(tokenizer: Any, texts: Sequence[tuple[str, str]], limit: int) -> tuple[list[tuple[list[int], int]], int]:
    """Each text's ids and how many of them, at the end, are the candidate's; and how many texts were cut."""

    def ids(text: str) -> list[int]:
        found: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return found

    rows, truncated = [], 0
    for beginning, end in texts:
        above, candidate = ids(beginning), ids(end)
        truncated += len(above) + len(candidate) > limit
        candidate = candidate[: limit - 1]
        above = above[max(0, len(above) + len(candidate) - limit) :]
        rows.append(([*above, *candidate], len(candidate)))
    return rows, truncated


def _scores(
    model: Any, rows: Sequence[tuple[list[int], int]], device: str, progress: Progress, per_token: bool
) -> Floats:
    """Each candidate's log-probability after what is before it, `[rows]`, in the mean over its tokens or in sum."""
    import torch

    found = np.zeros(len(rows))
    lengths = np.array([len(ids) for ids, _ in rows])
    done = 0
    with torch.no_grad():
        for batch in batches(lengths):
            inputs = padded_in_front([rows[row][0] for row in batch.tolist()], device)
            kept = max(rows[row][1] for row in batch.tolist()) + 1
            logs = model(**inputs, logits_to_keep=kept).logits[:, :-1].float().log_softmax(dim=-1)
            wanted = inputs["input_ids"][:, -logs.shape[1] :]
            of_tokens = logs.gather(2, wanted.unsqueeze(2)).squeeze(2).cpu().numpy()
            for place, row in enumerate(batch.tolist()):
                of_row = of_tokens[place, -rows[row][1] :].astype(np.float64)
                found[row] = of_row.mean() if per_token else of_row.sum()
            done += len(batch)
            progress(done, len(rows))
    if not np.isfinite(found).all():
        raise OutgrowError("the prompted model gives log-probabilities that are not numbers")
    return found
