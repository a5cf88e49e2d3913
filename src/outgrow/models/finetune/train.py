"""Finetuning: transformers' Trainer with one step of its own, that learns from a whole batch in parts of like length."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core import group
from outgrow.core.answers import OUT, Allowed
from outgrow.core.examples import Floats, Ints
from outgrow.models.checkpoints.device import (
    fingerprint,
    own_randomness,
    put,
    randomness,
    same_bits,
    set_randomness,
    settle,
    with_memory_for,
)
from outgrow.models.checkpoints.tokens import Readable
from outgrow.models.checkpoints.weight_files import quiet
from outgrow.models.contract import Location
from outgrow.models.finetune.adapters import body_size, choose_learning, learning
from outgrow.models.finetune.batches import (
    Objective,
    Passes,
    backward_batch,
    needs_statistic,
    overhead,
    shared_out,
)
from outgrow.models.finetune.classifier import Loaded, computed, evaluating, in_body, load, predict
from outgrow.models.finetune.learning_curve import Curve, Progress, Watch
from outgrow.models.finetune.options import Finetune
from outgrow.models.finetune.resume import Halfway, State, optimizer_tensors, set_optimizer
from outgrow.models.finetune.shards import own, place


@dataclass(frozen=True)
class Lesson:
    """What is learned: texts at `rows [m]` of the tokens, their targets `[m, classes]`, by a method, from a seed."""

    rows: Ints
    targets: Floats
    method: Objective
    seed: int
    weights: Floats | None = None  # [m] of the examples, only their ratios count; None: all alike
    allowed: Allowed | None = None  # [m, classes] the classes that a row can have; None: all, in every row


@dataclass(frozen=True)
class HeadFirst:
    """How the head learns alone before the whole model does."""

    epochs: int
    lr: float


@dataclass(frozen=True)
class Finetuned:
    """A trained model, its learning curve, and the share of training after which it was taken."""

    loaded: Loaded
    curve: list[dict[str, float | None]]  # progress, loss, test_accuracy, weak_agreement
    taken_at: float


def train(
    location: Location,
    options: Finetune,
    tokens: Readable,
    classes: Sequence[str],
    lesson: Lesson,
    *,
    watch: Watch | None = None,
    device: str = "cpu",
    scratch: Path | None = None,
    progress: Progress = lambda done, total: None,
    head_first: HeadFirst | None = None,
    halfway: Halfway | None = None,
) -> Finetuned:
    """Finetune a checkpoint on a lesson. The global random states stay as they were; the seed alone decides.

    head_first: train the head alone before, the body frozen, and finetune from there. halfway: where the state is kept
    now and then, and taken up again; the bits are the same.
    Where the device's memory does not suffice, it begins once more with half of `options.tokens` in a part of a batch.
    Raises OutgrowError on weights that cannot be loaded, on training that diverges and where half does not suffice
    either, UsageError on a checkpoint that is not a text model.
    """

    def once(budget: int) -> Finetuned:
        asked = options.model_copy(update={"tokens": budget})
        return _train(
            location, asked, tokens, classes, lesson, watch or Watch(), device, scratch, progress, head_first, halfway
        )

    advice = "give fewer `tokens`, or `checkpointing: true`, `precision: bf16` or `lora`, which need less"
    return with_memory_for(once, options.tokens, f"finetune:{location.name}", advice)


def _train(
    location: Location,
    options: Finetune,
    tokens: Readable,
    classes: Sequence[str],
    lesson: Lesson,
    watch: Watch,
    device: str,
    scratch: Path | None,
    progress: Progress,
    head_first: HeadFirst | None,
    halfway: Halfway | None,
) -> Finetuned:
    from transformers import set_seed

    together = group.size() > 1
    with (
        own_randomness(device),
        same_bits(device),
        quiet(),
        tempfile.TemporaryDirectory(dir=scratch, prefix="trainer-") as folder,
    ):
        set_seed(lesson.seed)
        loaded = group.in_turn(lambda: _loaded(location, options, classes, tokens, device))
        if head_first is not None:
            _learn_head(loaded, options, head_first, tokens, lesson, device, folder, progress)
        if not together:
            choose_learning(loaded.module, options)
        curve = Curve(loaded, options, tokens, watch, progress)
        trainer = _trainer(loaded, options, tokens, lesson, curve, device, folder, halfway)
        trainer.train()
        curve.take_best()
        if not together:
            place(loaded.module, device)
    return Finetuned(loaded, curve.points, curve.taken_at)


def _loaded(location: Location, options: Finetune, classes: Sequence[str], tokens: Readable, device: str) -> Loaded:
    """The model; of several processes' the shards, which are of what learns, adapters too."""
    loaded = load(location, options, classes, pictures=tokens.pictures)
    if group.size() > 1:
        choose_learning(loaded.module, options)
        place(loaded.module, device)
    return loaded


def _learn_head(
    loaded: Loaded,
    options: Finetune,
    head_first: HeadFirst,
    tokens: Readable,
    lesson: Lesson,
    device: str,
    folder: str,
    progress: Progress,
) -> None:
    """Train what is not the body, and let learn what learned before."""
    changes = {"lora": None, "bitfit": False, "early_stop": None, "callbacks": ()}
    alone = options.model_copy(update={**changes, "epochs": head_first.epochs, "lr": head_first.lr})
    model = loaded.module.model
    body = [value for name, value in learning(model) if in_body(model, name)]
    for parameter in body:
        parameter.requires_grad_(False)
    _trainer(loaded, alone, tokens, lesson, Curve(loaded, alone, tokens, Watch(), progress), device, folder).train()
    for parameter in body:
        parameter.requires_grad_(True)


def _trainer(
    loaded: Loaded,
    options: Finetune,
    tokens: Readable,
    lesson: Lesson,
    curve: Curve,
    device: str,
    folder: str,
    halfway: Halfway | None = None,
) -> Any:
    import torch
    from torch.utils.data import DataLoader, RandomSampler
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    targets = torch.from_numpy(np.ascontiguousarray(lesson.targets, dtype=np.float32))
    weights = np.ones(len(targets)) if lesson.weights is None else lesson.weights / np.mean(lesson.weights)
    weight = torch.from_numpy(np.asarray(weights, dtype=np.float32))
    lengths = np.maximum(tokens.lengths[lesson.rows], 1)
    statistic = needs_statistic(lesson.method, targets.shape[1])

    kept = None if halfway is None else halfway.read()
    if kept is not None and kept.facts.get("made") != fingerprint(device):
        kept = None  # another device or version: its bits would be neither the one's nor the other's
    learned = 0 if kept is None else kept.step  # steps that were made before this process began
    if not group.all_have(learned):  # the others' states are of another step, or they have none
        kept, learned = None, 0
    cost = overhead(body_size(loaded.module), device.partition(":")[0])
    examples: Any = range(len(lengths))

    class BatchTrainer(Trainer):
        """The data loader yields the whole effective batch; every process has the same one, and reads its share."""

        at_hand: Any = (
            None  # targets, weights and allowed classes of all examples on the device, from the first step on
        )

        def get_train_dataloader(self) -> Any:
            order = RandomSampler(examples, generator=torch.Generator().manual_seed(lesson.seed))
            return DataLoader(examples, options.batch, sampler=order, collate_fn=_batch)

        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
            batch = inputs["rows"].numpy()
            here = torch.device(self.args.device)
            if self.state.global_step < learned:  # nothing has a gradient: only the data's order and the rate go on
                return torch.zeros((), device=here)

            at_hand = self.at_hand = self.at_hand or (
                targets.to(here),
                weight.to(here),
                None if lesson.allowed is None else torch.from_numpy(lesson.allowed).to(here),
            )
            wanted, counts, allowed = at_hand

            seen = tokens.at_step(lesson.seed, self.state.global_step)

            def ask(module: Any, part: Ints) -> Any:
                with computed(here, options):
                    logits = seen.logits(module, lesson.rows[batch[part]], loaded.filler, here)
                if allowed is None:
                    return logits
                return logits.masked_fill(~allowed[put(batch[part], here)], OUT)

            def looking(part: Ints) -> Any:
                with evaluating(self.model):
                    return ask(self.model, part)

            model.train()
            parts, counted = shared_out(lengths[batch], options.tokens, cost, group.rank(), group.size())
            passes = Passes(
                learning=lambda part: ask(model, part),
                looking=looking,
                backward=self.accelerator.backward,
                share=group.summed,
                processes=group.size(),
                counted=counted,
            )
            at = self.state.global_step / self.state.max_steps
            chosen = put(batch, here)
            loss = backward_batch(passes, parts, wanted[chosen], counts[chosen], lesson.method, at, statistic=statistic)
            curve.losses.append(loss)
            return loss

    class Watching(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, optimizer: Any = None, **more: Any) -> None:
            nonlocal kept
            if state.global_step <= learned:
                if state.global_step == learned and kept is not None:
                    _take_up(kept, loaded, optimizer, curve)
                    kept = None  # weights and the optimizer's memory of them, which need not be held twice
                control.should_log = False  # callbacks were called for these steps before
                return
            control.should_training_stop = curve.step(state.global_step, state.max_steps)
            if halfway is not None and group.of_first(halfway.due()) and not control.should_training_stop:
                halfway.write(_state(state.global_step, loaded, optimizer, curve, device))

    settings: dict[str, Any] = {"report_to": "none", "logging_strategy": "no"}
    if options.callbacks and group.rank() == 0:
        settings = {"report_to": list(options.callbacks), "logging_strategy": "steps", "logging_steps": 10}
    if device == "cpu":
        settings |= {"use_cpu": True}
    args = TrainingArguments(
        output_dir=folder,
        seed=_own_seed(lesson.seed),
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch,
        learning_rate=options.lr,
        weight_decay=options.weight_decay,
        max_grad_norm=options.clip,
        warmup_steps=math.ceil(options.warmup * options.epochs * math.ceil(len(lengths) / options.batch)),
        lr_scheduler_type="cosine",
        optim="adamw_torch_fused",
        save_strategy="no",
        eval_strategy="no",
        disable_tqdm=True,
        log_level="error",
        logging_nan_inf_filter=False,  # it looks at the loss after each step, and the device would wait; the curve looks
        **settings,
    )
    settle(args, device)
    trainer = BatchTrainer(model=loaded.module, args=args, train_dataset=examples, callbacks=[Watching()])
    trainer.remove_callback(PrinterCallback)
    return trainer


def _state(step: int, loaded: Loaded, optimizer: Any, curve: Curve, device: str) -> State:
    """Everything needed to resume a training after a step of the optimizer."""
    seen, tensors = curve.state()
    chance, chances = randomness(device)
    weights = {f"weight.{name}": own(value) for name, value in learning(loaded.module)}
    return State(
        step,
        {"made": fingerprint(device), "curve": seen, "chance": chance},
        {**tensors, **chances, **weights, **optimizer_tensors(optimizer)},
    )


def _take_up(state: State, loaded: Loaded, optimizer: Any, curve: Curve) -> None:
    """Go on from what `_state` gave."""
    for name, value in learning(loaded.module):
        own(value.detach()).copy_(state.tensors[f"weight.{name}"])
    set_optimizer(optimizer, state.tensors)
    curve.take_up(state.facts["curve"], state.tensors)
    set_randomness(state.facts["chance"], state.tensors)


def _batch(rows: list[int]) -> dict[str, Any]:
    import torch

    return {"rows": torch.tensor(rows)}


def _own_seed(seed: int) -> int:
    """Of what is dropped out: no two processes drop the same places of different rows."""
    rank = group.rank()
    return seed if rank == 0 else int(np.random.SeedSequence([seed, rank]).generate_state(1)[0])


def probabilities(
    finetuned: Finetuned, tokens: Readable, rows: Ints, options: Finetune, progress: Progress = lambda done, total: None
) -> NDArray[np.float32]:
    """Probabilities `[rows, classes]` of the texts at `rows` of the tokens."""
    return predict(finetuned.loaded, tokens, rows, options, progress)
