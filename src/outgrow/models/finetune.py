"""Finetuning: transformers' Trainer with one step of its own, that learns from a whole batch in parts of like length."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgrow.core import Floats, Ints, OutgrowError, Strings, harden
from outgrow.models.adapters import body_size, choose_learning
from outgrow.models.batches import Objective, Passes, backward_batch, cut, needs_statistic, overhead
from outgrow.models.classifier import Loaded, asked, computed, load, own_randomness, predict
from outgrow.models.contract import Location
from outgrow.models.finetune_options import Finetune
from outgrow.models.tokens import Tokens
from outgrow.models.weights import quiet

POINTS = 10  # of a learning curve
WATCHED = 200  # test rows that a curve is drawn from: all points of one curve by the same ones

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Lesson:
    """What is learned: texts at `rows [m]` of the tokens, their targets `[m, classes]`, by a method, from a seed."""

    rows: Ints
    targets: Floats
    method: Objective
    seed: int
    weights: Floats | None = None  # [m] of the examples, only their ratios count; None: all alike


@dataclass(frozen=True)
class Watch:
    """What is looked at during training and changes nothing of it, early stopping aside."""

    rows: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # [n] test rows
    ids: Strings = field(default_factory=lambda: np.zeros(0, dtype=np.str_))  # [n] theirs, which decide ties
    truth: Ints | None = None  # [n] classes, -1: not known
    weak: Ints | None = None  # [n] the weak labels' classes, -1: not known
    validation: Ints | None = None  # rows that early stopping judges by
    judged: Floats | None = None  # their targets `[rows, classes]`, of the kind that is learned from


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
    tokens: Tokens,
    classes: Sequence[str],
    lesson: Lesson,
    *,
    watch: Watch | None = None,
    device: str = "cpu",
    scratch: Path | None = None,
    progress: Progress = lambda done, total: None,
    head_first: HeadFirst | None = None,
) -> Finetuned:
    """Finetune a checkpoint on a lesson. The global random states stay as they were; the seed alone decides.

    head_first: train the head alone before, the body frozen, and finetune from there.
    Raises OutgrowError on weights that cannot be loaded and on training that diverges, UsageError on a checkpoint that
    is no text model.
    """
    from transformers import set_seed

    with own_randomness(device), quiet(), tempfile.TemporaryDirectory(dir=scratch, prefix="trainer-") as folder:
        set_seed(lesson.seed)
        loaded = load(location, options, classes)
        if head_first is not None:
            _learn_head(loaded, options, head_first, tokens, lesson, device, folder, progress)
        choose_learning(loaded.module, options)
        curve = _Curve(loaded, options, tokens, watch or Watch(), progress)
        trainer = _trainer(loaded, options, tokens, lesson, curve, device, folder)
        trainer.train()
        curve.take_best()
        loaded.module.to(device if device != "auto" else "cpu")
    return Finetuned(loaded, curve.points, curve.taken_at)


def _learn_head(
    loaded: Loaded,
    options: Finetune,
    head_first: HeadFirst,
    tokens: Tokens,
    lesson: Lesson,
    device: str,
    folder: str,
    progress: Progress,
) -> None:
    """Train what is not the body, and leave everything ready to learn."""
    changes = {"lora": None, "bitfit": False, "early_stop": None, "callbacks": ()}
    alone = options.model_copy(update={**changes, "epochs": head_first.epochs, "lr": head_first.lr})
    body = list(loaded.module.model.base_model.parameters())
    for parameter in body:
        parameter.requires_grad_(False)
    _trainer(loaded, alone, tokens, lesson, _Curve(loaded, alone, tokens, Watch(), progress), device, folder).train()
    for parameter in body:
        parameter.requires_grad_(True)


class _Curve:
    """Looks at the model ten times in training, and keeps the best weights where it is to stop early."""

    def __init__(self, loaded: Loaded, options: Finetune, tokens: Tokens, watch: Watch, progress: Progress) -> None:
        self.loaded, self.options, self.tokens, self.watch, self.progress = loaded, options, tokens, watch, progress
        self.points: list[dict[str, float | None]] = []
        self.losses: list[Any] = []  # of the batches since the last point
        self.best: tuple[float, dict[str, Any]] | None = None
        self.taken_at, self.worse = 1.0, 0

    def step(self, done: int, total: int) -> bool:
        """After each step of the optimizer: whether to stop."""
        self.progress(done, total)
        due = {math.ceil(total * point / POINTS) for point in range(1, POINTS + 1)}
        return done in due and self._look(done / total)

    def _look(self, at: float) -> bool:
        import torch

        loss = float(torch.stack(self.losses).mean())
        self.losses.clear()
        if not math.isfinite(loss):
            raise OutgrowError(
                f"training diverged: the loss is {loss} after {at:.0%} of it: give a smaller lr, or more warmup"
            )
        watch = self.watch
        said = None
        if len(watch.rows):
            said = harden(predict(self.loaded, self.tokens, watch.rows, self.options), watch.ids)
        self.points.append(
            {
                "progress": at,
                "loss": loss,
                "test_accuracy": _agreement(said, watch.truth),
                "weak_agreement": _agreement(said, watch.weak),
            }
        )
        return self.options.early_stop is not None and self._judge(at, self.options.early_stop)

    def _judge(self, at: float, patience: int) -> bool:
        assert self.watch.validation is not None, "early stopping without validation"
        assert self.watch.judged is not None, "early stopping without labels on validation"
        known = ~np.isnan(self.watch.judged).any(axis=1)
        found = predict(self.loaded, self.tokens, self.watch.validation[known], self.options)
        loss = float(-(self.watch.judged[known] * np.log(np.maximum(found, 1e-12))).sum(axis=1).mean())
        if self.best is None or loss < self.best[0]:
            weights = self.loaded.module.named_parameters()
            self.best = loss, {name: value.detach().cpu().clone() for name, value in weights if value.requires_grad}
            self.taken_at, self.worse = at, 0
        else:
            self.worse += 1
        return self.worse >= patience

    def take_best(self) -> None:
        """The weights of the smallest loss on validation, where that was asked for."""
        if self.best is not None:
            self.loaded.module.load_state_dict(self.best[1], strict=False)


def _agreement(said: Ints | None, labels: Ints | None) -> float | None:
    if said is None or labels is None or not (labels >= 0).any():
        return None
    return float((said == labels)[labels >= 0].mean())


def _trainer(
    loaded: Loaded, options: Finetune, tokens: Tokens, lesson: Lesson, curve: _Curve, device: str, folder: str
) -> Any:
    import torch
    from torch.utils.data import DataLoader, RandomSampler
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    targets = torch.from_numpy(np.ascontiguousarray(lesson.targets, dtype=np.float32))
    weights = np.ones(len(targets)) if lesson.weights is None else lesson.weights / np.mean(lesson.weights)
    weight = torch.from_numpy(np.asarray(weights, dtype=np.float32))
    lengths = np.maximum(tokens.lengths[lesson.rows], 1)
    statistic = needs_statistic(lesson.method, targets.shape[1])

    cost = overhead(body_size(loaded.module), device.partition(":")[0])
    examples: Any = range(len(lengths))

    class BatchTrainer(Trainer):
        """The data loader yields the whole effective batch; every process has the same one, and reads its share."""

        def get_train_dataloader(self) -> Any:
            order = RandomSampler(examples, generator=torch.Generator().manual_seed(lesson.seed))
            return DataLoader(examples, options.batch, sampler=order, collate_fn=_batch)

        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
            batch = inputs["rows"].numpy()
            here = torch.device(self.args.device)

            def ask(module: Any, part: Ints) -> Any:
                ids, mask = tokens.padded(lesson.rows[batch[part]], loaded.filler)
                with computed(here, options):
                    return module(torch.from_numpy(ids).to(here), torch.from_numpy(mask).to(here))

            def looking(part: Ints) -> Any:
                with asked(self.model):
                    return ask(self.model, part)

            def part_of_step(last: bool) -> Any:
                return nullcontext() if last else self.accelerator.no_sync(model)

            model.train()
            order = np.argsort(-lengths[batch], kind="stable")
            mine = order[self.args.process_index :: self.args.world_size]
            order = mine if len(mine) else order[:1]
            parts = [order[part] for part in cut(lengths[batch][order], options.tokens, cost)]
            passes = Passes(
                learning=lambda part: ask(model, part),
                looking=looking,
                backward=self.accelerator.backward,
                part=part_of_step,
                share=_sum_over_processes,
                processes=self.args.world_size,
                counted=len(mine) > 0,
            )
            at = self.state.global_step / self.state.max_steps
            wanted, counts = targets[batch].to(here), weight[batch].to(here)
            loss = backward_batch(passes, parts, wanted, counts, lesson.method, at, statistic=statistic)
            curve.losses.append(loss)
            return loss

    class Watching(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            control.should_training_stop = curve.step(state.global_step, state.max_steps)

    settings: dict[str, Any] = {"report_to": "none", "logging_strategy": "no"}
    if options.callbacks:
        settings = {"report_to": list(options.callbacks), "logging_strategy": "steps", "logging_steps": 10}
    if options.fsdp:
        settings |= {"fsdp": True, "fsdp_config": dict(options.fsdp_config)}
    if device == "cpu":
        settings |= {"use_cpu": True} | ({"ddp_backend": "gloo"} if "LOCAL_RANK" in os.environ else {})
    args = TrainingArguments(
        output_dir=folder,
        seed=lesson.seed,
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
        ddp_find_unused_parameters=False,
        **settings,
    )
    _ = args.device  # settles how many there are
    args._n_gpu = 1  # one process drives one device: no DataParallel
    trainer = BatchTrainer(model=loaded.module, args=args, train_dataset=examples, callbacks=[Watching()])
    trainer.remove_callback(PrinterCallback)
    return trainer


def _batch(rows: list[int]) -> dict[str, Any]:
    import torch

    return {"rows": torch.tensor(rows)}


def _sum_over_processes(values: Any) -> Any:
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        distributed.all_reduce(values)
    return values


def probabilities(
    finetuned: Finetuned, tokens: Tokens, rows: Ints, options: Finetune, progress: Progress = lambda done, total: None
) -> NDArray[np.float32]:
    """Probabilities `[rows, classes]` of the texts at `rows` of the tokens."""
    return predict(finetuned.loaded, tokens, rows, options, progress)
