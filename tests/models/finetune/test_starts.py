"""Finetuned students that begin elsewhere: after reading the texts, or from a trained head; and other methods on them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny

from outgrow.core.errors import UsageError
from outgrow.core.pool import Pool
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare, run
from outgrow.experiment.spec.schema import Experiment
from outgrow.methods.losses import Naive
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.tokens import Tokens, read_texts
from outgrow.models.finetune.options import Finetune
from outgrow.models.finetune.pretraining import padded, read_on
from outgrow.models.finetune.train import HeadFirst, Lesson, train

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = tiny.TEXTS
READING = {"epochs": 3, "lr": 5e-3, "batch": 8, "precision": "fp32"}


def tokens_of(folder: Path) -> Tokens:
    return read_texts(resolve(str(folder), "finetune"), TEXTS, max_length=None, chat_template=False)


def language_loss(folder: Path, tokens: Tokens) -> float:
    """Mean loss of the next token over all texts, one text at a time."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    losses: list[float] = []
    for row in range(len(TEXTS)):
        ids = torch.tensor(tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]].astype(np.int64))
        with torch.no_grad():
            logs = model(ids[None]).logits[0].log_softmax(-1)
        losses += (-logs[torch.arange(len(ids) - 1), ids[1:]]).tolist()
    return float(np.mean(losses))


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_model_that_read_the_texts_predicts_them_better(family: str, tmp_path: Path) -> None:
    folder = tiny.make(family, tmp_path / family, tie_word_embeddings=True)  # no layer of words that the file lacks
    tokens = tokens_of(folder)
    before = random.getstate()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        read_on(resolve(str(folder), "finetune"), tokens, np.arange(len(TEXTS)), READING, 3, tmp_path / name)
    assert random.getstate() == before
    assert language_loss(tmp_path / "a", tokens) < language_loss(folder, tokens) - 0.3
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]  # the seed alone decides
    assert len(resolve(str(tmp_path / "a"), "finetune").fingerprint) == 64  # a checkpoint like any other


def test_padded_places_are_neither_read_nor_predicted(made: Callable[[str], Path]) -> None:
    tokens = tokens_of(made("gpt2"))
    batch = padded(tokens, np.array([0, 9]))
    lengths = tokens.lengths[[0, 9]]
    assert lengths[0] != lengths[1]
    assert batch["attention_mask"].sum(dim=1).tolist() == lengths.tolist()
    assert ((batch["labels"] == -100) == (batch["attention_mask"] == 0)).all()
    assert (batch["labels"][batch["attention_mask"] == 1] == batch["input_ids"][batch["attention_mask"] == 1]).all()


@pytest.mark.parametrize(("family", "how"), [("bert", {}), ("gpt2", {"lora": {"r": 2}}), ("llama", {"bitfit": True})])
def test_the_head_learns_first_and_alone(made: Callable[[str], Path], family: str, how: dict[str, Any]) -> None:
    location = resolve(str(made(family)), "finetune")
    options = Finetune(checkpoint="x", epochs=1, lr=1e-12, batch=8, weight_decay=0.0, **how)
    targets = np.eye(2, dtype=np.float32)[np.arange(len(TEXTS)) % 2]
    lesson = Lesson(np.arange(len(TEXTS)), targets, Naive(), 0)
    tokens = tokens_of(made(family))

    def parameters(**more: Any) -> dict[str, np.ndarray]:
        found = train(location, options, tokens, ("no", "yes"), lesson, **more).loaded.module
        return {name: value.detach().numpy().copy() for name, value in found.named_parameters()}

    plain, first = parameters(), parameters(head_first=HeadFirst(epochs=4, lr=1e-2))
    assert plain.keys() == first.keys()
    moved = {name for name in plain if np.abs(plain[name] - first[name]).max() > 1e-6 and "lora" not in name}
    assert moved == {name for name in plain if any(part in name for part in ("classifier", "score", "pooler"))}
    assert (
        train(location, options, tokens, ("no", "yes"), lesson, head_first=HeadFirst(1, 1e-2)).curve[-1]["progress"]
        == 1
    )


def experiment(**changes: Any) -> Experiment:
    split = {"weak_train": 40, "transfer": 48, "validation": 20, "test": 40}
    whole = {
        "name": "x",
        "tasks": ["sentiment"],
        "weak": [{"static": "wordllama", "rows": 30}],
        "seeds": [0],
        "split": split,
    }
    return Experiment(**{**whole, **changes})


@pytest.mark.slow
def test_finetuned_students_take_every_method(made: Callable[[str], Path], tmp_path: Path) -> None:
    student = {"finetune": str(made("gpt2")), "epochs": 1, "lr": 1e-3, "max_length": 16}
    methods: list[Any] = [
        "naive", "generative", "lp_ft", "early_stop", {"early_stop": {"on": "truth"}}, "self_train", {"filter": {"by": "knn"}},
        {"bootstrap": {"through": [student]}}, {"confidence": {"alpha": [0.2, 0.7]}},
    ]  # fmt: skip
    asked = experiment(strong=[student], methods=methods)
    store = Store(tmp_path / "store")
    results = run(asked, store=store, out=tmp_path / "out", machine=Machine(threads=1))
    assert all(row["student_accuracy"] is not None for row in results.runs)
    ended = [row["method"] for row in results.runs if "stopped_at" in row]
    assert ended == ["early_stop", {"early_stop": {"on": "truth"}}]
    assert all(0.1 <= row["stopped_at"] <= 1 for row in results.runs if "stopped_at" in row)
    alike = [note.partition(":")[0] for note in results.notes if "its ceilings are trained as its students are" in note]
    assert alike == ["generative", "lp_ft"]  # as in figure 10 of Burns et al. 2023
    more = {note.partition(":")[0]: note for note in results.notes if "and their ceiling does not" in note}
    assert list(more) == ["self_train", "confidence alpha=[0.2,0.7]"]
    assert "are the best of 2 tried" in more["confidence alpha=[0.2,0.7]"]
    runs = {one.method.name: one for one in prepare(asked, store, Machine()).runs}
    steps, ceilings = ({name: getattr(one, role) for name, one in runs.items()} for role in ("student", "ceiling"))
    # The ceilings of both begin where their students begin, and learn the truth by the loss of naive.
    assert ceilings["generative"].parents["start"] == steps["generative"].parents["start"]
    assert ceilings["generative"].params == ceilings["naive"].params
    assert ceilings["lp_ft"].params == {**ceilings["naive"].params, "probe": {"epochs": 2, "lr": 1e-3}}
    others = {name for name in runs if name not in ("generative", "lp_ft")}
    assert {ceilings[name] for name in others} == {ceilings["naive"]}
    plain = prepare(asked.model_copy(update={"ceiling": "plain"}), store, Machine()).runs
    assert {one.ceiling for one in plain} == {ceilings["naive"]}
    naive, generative, probed = (steps[name] for name in ("naive", "generative", "lp_ft"))
    # After the texts: the same training, of another checkpoint, which knows no label and no part but transfer.
    assert generative.params == naive.params
    start = generative.parents["start"]
    assert set(start.parents) == {"pool", "split", "tokens"}
    assert {role: step for role, step in generative.parents.items() if role != "start"} == naive.parents
    assert (store.folder(start.key) / "model" / "model.safetensors").is_file()
    assert probed.params == {**naive.params, "probe": {"epochs": 2, "lr": 1e-3}}
    # A student that labels predicts transfer; a candidate, validation.
    assert steps["self_train"].parents["weak_labels"].params["reads"] == ["transfer", "validation", "test"]
    assert [steps[name].kind for name in ("confidence alpha=[0.2,0.7]",)] == ["choose"]
    oracle, honest = steps["early_stop on=truth (oracle)"], steps["early_stop"]
    assert honest.params["options"]["early_stop"] == 10
    assert oracle.params == {**honest.params, "judged_by": "truth"}
    assert steps["filter by=knn"].parents["weak_labels"].parents["features"].params["model"] == {"name": "probe"}


def test_an_oracle_judges_by_the_truth(made: Callable[[str], Path], tmp_path: Path) -> None:
    from outgrow.execution.step import Job
    from outgrow.experiment.steps.models.finetune import _watch

    student = {"finetune": str(made("gpt2")), "epochs": 1, "max_length": 16}
    asked = experiment(strong=[student], methods=["early_stop", {"early_stop": {"on": "truth"}}])
    store = Store(tmp_path / "store")
    run(asked, store=store, out=tmp_path / "out", machine=Machine(threads=1))
    honest, oracle = (one.student for one in prepare(asked, store, Machine()).runs)
    data = Pool.load(store.folder(honest.parents["pool"].key))
    judged = []
    for step in (honest, oracle):
        job = Job(tmp_path, step.params, {role: store.folder(parent.key) for role, parent in step.parents.items()})
        judged.append(_watch(job, data, Finetune.of("x", step.params["options"])))
    rows = judged[0].validation
    weak = np.load(store.folder(honest.parents["weak_labels"].key) / "probabilities.npy")
    np.testing.assert_array_equal(judged[0].judged, weak[rows])
    np.testing.assert_array_equal(judged[1].judged, np.eye(2)[data.labels[rows]])
    assert "taken_at" in json.loads((store.folder(oracle.key) / "facts.json").read_text())


def test_starts_that_cannot_be_have_their_sentence(made: Callable[[str], Path], tmp_path: Path) -> None:
    for method in ("generative", "lp_ft"):
        with pytest.raises(UsageError, match="static:wordllama is not finetuned: name the student as finetune:"):
            experiment(strong=["static:wordllama"], methods=[method])
    asked = experiment(strong=[f"finetune:{made('bert')}"], methods=["naive", "generative"])
    with pytest.raises(UsageError, match=r"is an encoder \(bert\): name a causal language model"):
        prepare(asked, Store(tmp_path / "store"), Machine())
