"""A causal language model that reads texts without any label, as it read in its pretraining, and is kept for finetuning."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError
from outgrow.core.examples import Ints
from outgrow.models.checkpoints.device import own_randomness, settle
from outgrow.models.checkpoints.loading import quiet_load, read_config, read_tokenizer, read_weights
from outgrow.models.checkpoints.tokens import Tokens
from outgrow.models.checkpoints.weight_files import folder_of, quiet
from outgrow.models.contract import Location
from outgrow.models.finetune.learning_curve import Progress

IGNORED = -100  # the target at padded places, as torch's cross entropy has it


def read_on(
    location: Location,
    tokens: Tokens,
    rows: Ints,
    options: Mapping[str, Any],
    seed: int,
    folder: Path,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> float:
    """Next-token prediction on the texts at `rows`, the checkpoint then written to the empty `folder`; the mean loss.

    options: epochs, lr, batch, precision. Raises OutgrowError on a checkpoint that cannot be loaded and where it diverges.
    """
    where, source = f"finetune:{location.name}", folder_of(location)
    with own_randomness(device), quiet(), tempfile.TemporaryDirectory(dir=folder.parent, prefix="trainer-") as scratch:
        from transformers import set_seed

        set_seed(seed)
        with quiet_load(where, source):
            tokenizer = read_tokenizer(source)
            model = read_weights(where, source, "AutoModelForCausalLM", read_config(source))
        loss = _train(model, tokens, rows, options, seed, scratch, device, progress)
        model.to("cpu").save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return loss


def _train(
    model: Any,
    tokens: Tokens,
    rows: Ints,
    options: Mapping[str, Any],
    seed: int,
    scratch: str,
    device: str,
    progress: Progress,
) -> float:
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    readable = rows[tokens.lengths[rows] > 1]  # of one token nothing is predicted
    if not len(readable):
        raise OutgrowError("generative: no text has two tokens, so there is nothing to predict")

    class Telling(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            progress(state.global_step, state.max_steps)

    settings: dict[str, Any] = {"use_cpu": True} if device == "cpu" else {}
    args = TrainingArguments(
        output_dir=scratch,
        seed=seed,
        num_train_epochs=options["epochs"],
        per_device_train_batch_size=options["batch"],
        learning_rate=options["lr"],
        lr_scheduler_type="cosine",
        bf16=options["precision"] == "bf16",
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,  # or a step that diverged would count as the mean of those before
        report_to="none",
        remove_unused_columns=False,
        disable_tqdm=True,
        log_level="error",
        **settings,
    )
    settle(args, device)

    def batch(places: list[int]) -> dict[str, Any]:
        return padded(tokens, readable[np.array(places)])

    trainer = Trainer(
        model=model, args=args, train_dataset=range(len(readable)), data_collator=batch, callbacks=[Telling()]
    )
    trainer.remove_callback(PrinterCallback)
    loss = float(trainer.train().training_loss)
    if not np.isfinite(loss):
        raise OutgrowError(f"generative: reading the texts diverged (loss {loss}): give a smaller lr")
    return loss


def padded(tokens: Tokens, rows: Ints) -> dict[str, Any]:
    """A batch whose padded places are neither read nor predicted, whatever id stands there."""
    import torch

    ids, mask = (torch.from_numpy(part) for part in tokens.padded(rows, 0))
    return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, IGNORED)}
