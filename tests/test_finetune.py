"""Finetuning: parts of a batch learn what the whole one does; the mask alone says what is read; the seed alone decides."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_features as tiny

from outgrow.core import OutgrowError, UsageError, harden
from outgrow.methods.contract import Method
from outgrow.methods.losses import Confidence, Naive
from outgrow.models import finetune as finetuning
from outgrow.models.adapters import choose_learning
from outgrow.models.batches import Passes, backward_batch, cut, needs_statistic
from outgrow.models.checkpoints import resolve
from outgrow.models.classifier import Loaded, load, predict, save
from outgrow.models.finetune import Finetuned, Lesson, Watch, probabilities, train
from outgrow.models.finetune_options import Finetune
from outgrow.models.finetuned import predict_texts, train_texts
from outgrow.models.tokens import Tokens, read_texts
from outgrow.registry import BUILT_IN, find

SRC = Path(__file__).parents[1] / "src"
CLASSES = ("bad", "fine", "good")
TEXTS = tiny.TEXTS
NUMBERS = np.arange(len(TEXTS))
LOSSES = [find("methods", name).load() for name in BUILT_IN["methods"]]
LOSSES = [method for method in LOSSES if method.loss is not Method.loss]
made = tiny.made  # the fixture: a tiny model of a family, in a folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def soft(classes: int, rows: int = len(TEXTS)) -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.ones(classes), size=rows).astype(np.float32)


def options(**changes: Any) -> Finetune:
    return Finetune(**{"checkpoint": "x", "epochs": 2, "lr": 1e-3, "batch": 8, **changes})


def learn(
    folder: Path, asked: Finetune, method: Method | None = None, *, classes: int = 3, seed: int = 0, **more: Any
) -> tuple[Finetuned, Tokens]:
    location = resolve(str(folder), "finetune")
    tokens = read_texts(location, TEXTS, **asked.reading())
    lesson = Lesson(NUMBERS, soft(classes), method or Naive(), seed)
    return train(location, asked, tokens, CLASSES[:classes], lesson, **more), tokens


def learned(folder: Path, asked: Finetune, method: Method | None = None, **more: Any) -> np.ndarray:
    """Bytes-exact predictions on all texts after training."""
    found, tokens = learn(folder, asked, method, **more)
    return probabilities(found, tokens, NUMBERS, asked)


def weights(found: Finetuned) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy().copy() for name, value in found.loaded.module.named_parameters()}


# --- a batch in parts ---


def gradients(loaded: Loaded, tokens: Tokens, targets: Any, method: Method, parts: list[Any], progress: float) -> Any:
    import contextlib

    import torch

    loaded.module.zero_grad()

    def logits(part: Any) -> Any:
        ids, mask = tokens.padded(NUMBERS[part], loaded.filler)
        return loaded.module(torch.from_numpy(ids), torch.from_numpy(mask))

    def looking(part: Any) -> Any:
        with torch.no_grad():
            return logits(part)

    passes = Passes(logits, looking, lambda loss: loss.backward(), lambda last: contextlib.nullcontext())
    weights = torch.linspace(0.5, 1.5, len(targets))
    statistic = needs_statistic(method, targets.shape[1])
    loss = backward_batch(passes, parts, targets, weights, method, progress, statistic=statistic)
    return float(loss), {n: p.grad.clone() for n, p in loaded.module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("method", LOSSES)
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_parts_of_a_batch_have_the_gradient_of_the_whole(
    made: Callable[[str], Path], family: str, method: type[Method], classes: int
) -> None:
    import torch

    location = resolve(str(made(family)), "finetune")
    loaded = load(location, options(), CLASSES[:classes])
    loaded.module.eval()
    tokens = read_texts(location, TEXTS, max_length=None, chat_template=False)
    targets = torch.from_numpy(soft(classes))
    # One text after the other is the reference; the whole at once, and cut by like length, must agree with it.
    ones = [NUMBERS[row : row + 1] for row in NUMBERS]
    loss, reference = gradients(loaded, tokens, targets, method(), ones, 0.7)
    largest = max(float(value.abs().max()) for value in reference.values())
    assert largest > 0.01
    for parts in ([NUMBERS], cut(tokens.lengths, 30, 4.0), cut(tokens.lengths, 4096, 2.0)):
        again, found = gradients(loaded, tokens, targets, method(), parts, 0.7)
        assert again == pytest.approx(loss, abs=1e-5)
        assert found.keys() == reference.keys()
        for name, value in found.items():
            np.testing.assert_allclose(value, reference[name], atol=1e-5, err_msg=name)


def test_the_threshold_of_confidence_is_that_of_the_whole_batch(made: Callable[[str], Path]) -> None:
    import torch

    seen: list[float] = []

    class Told(Confidence):
        def loss(self, logits: Any, weak: Any, progress: float, statistic: Any = None) -> Any:
            seen.append(float(statistic))
            return super().loss(logits, weak, progress, statistic)

    location = resolve(str(made("gpt2")), "finetune")
    loaded = load(location, options(), CLASSES[:2])
    loaded.module.eval()
    tokens = read_texts(location, TEXTS, max_length=None, chat_template=False)
    parts = cut(tokens.lengths, 30, 4.0)
    assert len(parts) > 3
    gradients(loaded, tokens, torch.from_numpy(soft(2)), Told(), parts, 1.0)
    found = predict(loaded, tokens, NUMBERS, options())
    margins = np.sort(np.log(found[:, 1]) - np.log(found[:, 0]))
    middle = len(margins) // 2  # 21 texts: the median is not above, so the cut lies half way to the next one
    assert set(np.round(seen, 4)) == {round(float(margins[middle] + margins[middle + 1]) / 2, 4)}


def test_cut_holds_each_row_once_within_budget_at_the_least_cost() -> None:
    lengths = np.array([3, 50, 4, 9, 9, 3, 20, 50, 2, 4])
    for budget, overhead in ((60, 1.0), (100, 5.0), (10_000, 20.0), (1, 3.0)):
        parts = cut(lengths, budget, overhead)
        assert sorted(np.concatenate(parts)) == list(range(len(lengths)))
        assert all(len(part) == 1 or len(part) * lengths[part].max() <= budget for part in parts)
        tops = [int(lengths[part].max()) for part in parts]
        assert tops == sorted(tops, reverse=True)
    cost = lambda parts: sum(lengths[part].max() * len(part) + 5.0 for part in parts)  # noqa: E731
    order = np.argsort(-lengths, kind="stable")
    every = [np.split(order, [i for i in range(1, 10) if mask >> i & 1]) for mask in range(0, 1024, 2)]
    assert cost(cut(lengths, 10_000, 5.0)) == min(cost(parts) for parts in every)
    assert len(cut(lengths, 10_000, 1e9)) == 1


def test_a_batch_is_drawn_at_random_and_anew_each_epoch(made: Callable[[str], Path]) -> None:
    batches: list[frozenset[int]] = []

    class Told(Naive):
        def loss(self, logits: Any, weak: Any, progress: float, statistic: Any = None) -> Any:
            batches.append(frozenset((weak[:, 0] * 1000).round().int().tolist()))
            assert progress == pytest.approx((len(batches) - 1) / 6)
            return super().loss(logits, weak, progress, statistic)

    folder = made("bert")
    location = resolve(str(folder), "finetune")
    tokens = read_texts(location, TEXTS, max_length=None, chat_template=False)
    targets = np.stack([NUMBERS / 1000, 1 - NUMBERS / 1000], axis=1).astype(np.float32)
    # An enormous overhead of a part keeps each batch whole, so that one call is one batch.
    asked = options(tokens=10_000)
    finetuning.overhead, before = (lambda parameters, device: 1e9), finetuning.overhead
    try:
        train(location, asked, tokens, CLASSES[:2], Lesson(NUMBERS, targets, Told(), 0))
    finally:
        finetuning.overhead = before
    assert [len(batch) for batch in batches] == [8, 8, 5, 8, 8, 5]
    first, second = batches[:3], batches[3:]
    assert frozenset().union(*first) == frozenset().union(*second) == frozenset(range(21))
    assert first[0] != second[0]
    assert first[0] != frozenset(range(8))


# --- what is read ---


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_predictions_are_those_of_each_text_alone_by_transformers_own_class(
    made: Callable[[str], Path], family: str, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    location = resolve(str(made(family)), "finetune")
    train_texts(location, options(), TEXTS, CLASSES, Lesson(NUMBERS, soft(3), Naive(), 0), tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert [model.config.id2label[number] for number in range(3)] == list(CLASSES)
    with torch.no_grad():
        alone = [model(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0].numpy() for text in TEXTS]
    np.testing.assert_allclose(predict_texts(tmp_path, TEXTS), np.stack(alone), atol=1e-5)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]


@pytest.mark.parametrize("asked", [{}, {"lora": {"r": 2}}], ids=["whole", "lora"])
@pytest.mark.parametrize("family", ["bert", "llama"])
def test_a_kept_student_is_loaded_by_transformers_pipeline(
    tmp_path_factory: pytest.TempPathFactory, family: str, asked: dict[str, Any], tmp_path: Path
) -> None:
    from transformers import pipeline

    # Large weights, so that what is said depends on the text.
    folder = tiny.make(family, tmp_path_factory.mktemp("large"), initializer_range=0.3)
    location = resolve(str(folder), "finetune")
    lesson = Lesson(NUMBERS, soft(3), Naive(), 0)
    found = train_texts(location, options(**asked, epochs=1), TEXTS, CLASSES, lesson, tmp_path)
    assert found.taken_at == 1.0
    ours = predict_texts(tmp_path, TEXTS)
    assert np.ptp(ours, axis=0).max() > 0.05
    for batch in (1, 5):
        pipe = pipeline("text-classification", str(tmp_path), top_k=None, device="cpu")
        theirs = [{score["label"]: score["score"] for score in row} for row in pipe(TEXTS, batch_size=batch)]
        np.testing.assert_allclose(ours, [[row[name] for name in CLASSES] for row in theirs], atol=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_token_with_id_0_counts_as_any_other_and_padding_is_never_read(
    made: Callable[[str], Path], family: str
) -> None:
    import torch
    from transformers import AutoTokenizer

    location = resolve(str(made(family)), "finetune")
    zero = AutoTokenizer.from_pretrained(made(family)).convert_ids_to_tokens(0)
    texts = [f"film {zero} light", f"{zero} {zero}", f"light {zero}", "film light", "film light patience film", zero]
    loaded = load(location, options(), CLASSES)
    loaded.module.eval()
    tokens = read_texts(location, texts, max_length=None, chat_template=False)
    assert tokens.lengths.tolist() == [3, 2, 2, 2, 4, 1]
    together, mask = tokens.padded(np.arange(6), loaded.filler)
    with torch.no_grad():
        expected = [
            loaded.module(torch.tensor([row[: m.sum()].tolist()]), torch.ones(1, m.sum(), dtype=torch.long))[0].numpy()
            for row, m in zip(together, mask, strict=True)
        ]
        for filler in (loaded.filler, 0, 7):  # whatever stands in the padding
            filled = np.where(mask == 1, together, filler)
            found = loaded.module(torch.from_numpy(filled), torch.from_numpy(mask)).numpy()
            np.testing.assert_allclose(found, np.stack(expected), atol=1e-5)
    assert np.abs(expected[2] - expected[3]).max() > 1e-3  # "light 0" is not "film light"


def test_long_texts_are_cut_counted_and_told(made: Callable[[str], Path]) -> None:
    location = resolve(str(made("bert")), "finetune")
    long = " ".join(tiny.WORDS * 4)
    found = read_texts(location, ["film", long], max_length=10, chat_template=False)
    assert (found.truncated, found.limit, found.lengths.tolist()) == (1, 10, [3, 10])
    assert found.ids[-1] == 2  # the closing token stays
    with pytest.raises(UsageError, match="max_length 33 is more than the 32 tokens"):
        read_texts(location, ["film"], max_length=33, chat_template=False)
    with pytest.raises(UsageError, match="`chat_template` is asked for, and its tokenizer has none"):
        read_texts(location, ["film"], max_length=None, chat_template=True)


def test_a_chat_template_stands_around_the_text_and_is_never_cut(made: Callable[[str], Path], tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(made("gpt2"))
    tokenizer.chat_template = "film {{ messages[0]['content'] }} light{% if add_generation_prompt %} town{% endif %}"
    tokenizer.save_pretrained(tmp_path)
    AutoModel.from_pretrained(made("gpt2")).save_pretrained(tmp_path)
    location = resolve(str(tmp_path), "finetune")
    found = read_texts(location, ["quiet", "quiet " * 20], max_length=8, chat_template=True)
    words = [tokenizer.decode(found.ids[a:b]) for a, b in zip(found.offsets, found.offsets[1:], strict=False)]
    assert words == ["film quiet light town", "film quiet quiet quiet quiet quiet light town"]
    assert found.truncated == 1


# --- training ---


def test_training_twice_gives_the_same_bits_and_leaves_the_random_states_alone(made: Callable[[str], Path]) -> None:
    import torch

    first = learned(made("gpt2"), options())
    random.seed(3)
    np.random.seed(4)
    torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    second = learned(made("gpt2"), options())
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert first.tobytes() == second.tobytes()
    assert np.abs(first - learned(made("gpt2"), options(), seed=1)).max() > 1e-4


def test_confidence_of_weight_0_is_naive_to_the_bit_and_of_a_half_is_not(made: Callable[[str], Path]) -> None:
    naive = learned(made("bert"), options(), Naive(), classes=2)
    assert learned(made("bert"), options(), Confidence(alpha=0), classes=2).tobytes() == naive.tobytes()
    assert learned(made("bert"), options(), Confidence(), classes=2).tobytes() != naive.tobytes()


def test_watching_changes_nothing_and_tells_what_is_so(made: Callable[[str], Path]) -> None:
    plain = learned(made("bert"), options(epochs=8))
    truth, weak = NUMBERS % 3, np.where(NUMBERS % 5, NUMBERS % 2, -1)
    ids = np.array([f"{number:02}" for number in NUMBERS])
    asked = options(epochs=8)
    found, tokens = learn(made("bert"), asked, watch=Watch(NUMBERS, ids, truth, weak))
    after = probabilities(found, tokens, NUMBERS, asked)
    assert after.tobytes() == plain.tobytes()
    assert [point["progress"] for point in found.curve] == [np.ceil(24 * k / 10) / 24 for k in range(1, 11)]
    said = harden(after, ids)
    assert found.curve[-1]["test_accuracy"] == (said == truth).mean()
    assert found.curve[-1]["weak_agreement"] == (said == weak)[weak >= 0].mean()
    assert found.curve[-1]["loss"] < found.curve[0]["loss"]  # type: ignore[operator]


def test_training_is_what_a_plain_loop_does(tmp_path: Path) -> None:
    """AdamW, decay of matrices alone, warm-up, cosine and clipping, against a loop over whole batches without parts."""
    import math

    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tiny.make("gpt2", tmp_path / "m", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    asked = options(epochs=10, batch=32, lr=0.01, clip=0.05, warmup=0.3, weight_decay=0.5)
    found = learn(folder, asked)[0]
    start = learn(folder, options(lr=1e-30, epochs=1, weight_decay=0.0, batch=32))[0].loaded.module.model
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3, pad_token_id=39).eval()
    model.load_state_dict(start.state_dict(), strict=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    plain = {name for name, value in model.named_parameters() if name.endswith("bias") or ".ln_" in name}
    groups = [
        {"params": [value for name, value in model.named_parameters() if name not in plain], "weight_decay": 0.5},
        {"params": [value for name, value in model.named_parameters() if name in plain], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.01)
    norms = []
    for step in range(10):
        share = step / 3 if step < 3 else 0.5 * (1 + math.cos(math.pi * (step - 3) / 7))
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * share
        logits = torch.cat([model(**tokenizer(text, return_tensors="pt")).logits for text in TEXTS])
        torch.nn.functional.cross_entropy(logits, torch.from_numpy(soft(3))).backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)))
        optimizer.step()
        optimizer.zero_grad()
    assert min(norms) > 0.05  # so every step was clipped
    ours, before = found.loaded.module.model.state_dict(), start.state_dict()
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(ours[name], value, atol=2e-4, err_msg=name)
    assert max(float((ours[name] - before[name]).abs().max()) for name in ours) > 0.02


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_lora_and_bitfit_train_what_they_say(made: Callable[[str], Path], family: str) -> None:
    for asked, trained in (
        ({"lora": {"r": 2}}, lambda name: "lora_" in name),
        ({"bitfit": True}, lambda name: name.endswith("bias")),
    ):
        found, _ = learn(made(family), options(**asked, epochs=1, batch=16))
        start = weights(learn(made(family), options(**asked, epochs=1, batch=16, lr=1e-30, weight_decay=0.0))[0])
        body = f"model.{found.loaded.module.model.base_model_prefix}."
        moved = {name for name, value in weights(found).items() if not np.array_equal(value, start[name])}
        heads = {name for name in start if not name.startswith(body) or "pooler" in name}
        assert {name for name in moved if not trained(name)} <= heads
        assert any(name.endswith("weight") for name in moved & heads)
        assert any(map(trained, moved - heads)) or (family == "llama" and "bitfit" in asked)  # Llama has no biases


def test_early_stopping_takes_the_weights_of_the_smallest_loss_on_validation(made: Callable[[str], Path]) -> None:
    asked = options(epochs=10, lr=0.02, early_stop=2, batch=21)
    validation = NUMBERS[:9]
    judged = 1 - np.eye(3, dtype=np.float32)[soft(3)[:9].argmax(axis=1)]  # what is learned is wrong there
    judged[0] = np.nan
    found, tokens = learn(made("gpt2"), asked, watch=Watch(validation=validation, judged=judged))
    assert len(found.curve) < 10
    assert found.taken_at == found.curve[-3]["progress"]

    def loss(of: Finetuned) -> float:
        said = probabilities(of, tokens, validation[1:], asked)
        return float(-(judged[1:] * np.log(said)).sum(axis=1).mean())

    assert loss(found) < loss(learn(made("gpt2"), options(epochs=10, lr=0.02, batch=21))[0]) - 0.1


def test_bf16_and_checkpointing_run_and_are_near(made: Callable[[str], Path]) -> None:
    plain = learned(made("llama"), options())
    half = learned(made("llama"), options(precision="bf16"))
    assert half.dtype == np.float32
    assert half.tobytes() != plain.tobytes()
    np.testing.assert_allclose(half, plain, atol=0.03)
    recomputed: list[int] = []
    folder = made("llama")
    from torch.utils import checkpoint

    original = checkpoint.checkpoint
    checkpoint.checkpoint, keep = (lambda *a, **k: (recomputed.append(1), original(*a, **k))[1]), checkpoint.checkpoint
    try:
        found = learned(folder, options(checkpointing=True))
    finally:
        checkpoint.checkpoint = keep
    np.testing.assert_allclose(found, plain, atol=1e-6)
    with pytest.raises(UsageError, match="cannot checkpoint a 'mpnet' model"):
        learned(made("mpnet"), options(checkpointing=True))


def test_weights_of_examples_count_as_repetitions_do(made: Callable[[str], Path]) -> None:
    location = resolve(str(made("bert")), "finetune")
    tokens = read_texts(location, TEXTS, max_length=None, chat_template=False)
    asked = options(batch=64, epochs=3)
    times = np.where(NUMBERS < 5, 3, 1)
    twice = np.repeat(NUMBERS, times)
    no_dropout = tiny.make(
        "bert", location_folder(location) / "plain", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    location = resolve(str(no_dropout), "finetune")
    weighted = train(location, asked, tokens, CLASSES, Lesson(NUMBERS, soft(3), Naive(), 0, times.astype(float)))
    repeated = train(location, asked, tokens, CLASSES, Lesson(twice, soft(3)[twice], Naive(), 0))
    np.testing.assert_allclose(
        probabilities(weighted, tokens, NUMBERS, asked), probabilities(repeated, tokens, NUMBERS, asked), atol=1e-5
    )


def location_folder(location: Any) -> Path:
    return Path(location.path)


def test_mean_pooling_reads_all_real_tokens(made: Callable[[str], Path]) -> None:
    import torch

    location = resolve(str(made("bert")), "finetune")
    loaded = load(location, options(pooling="mean"), CLASSES)
    loaded.module.eval()
    tokens = read_texts(location, TEXTS, max_length=None, chat_template=False)
    found = predict(loaded, tokens, NUMBERS, options())
    states = tiny.one_by_one(made("bert"), TEXTS, "mean")
    with torch.no_grad():
        expected = loaded.module.head(torch.from_numpy(states)).softmax(-1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(UsageError, match="`pooling: mean` cannot be kept"):
        save(loaded, made("bert"), {})
    with pytest.raises(UsageError, match="`pooling: mean` is for encoders"):
        load(resolve(str(made("gpt2")), "finetune"), options(pooling="mean"), CLASSES)


def test_a_head_of_other_classes_is_not_taken_over(made: Callable[[str], Path], tmp_path: Path) -> None:
    location = resolve(str(made("bert")), "finetune")
    train_texts(location, options(lr=0.01), TEXTS, CLASSES, Lesson(NUMBERS, soft(3), Naive(), 0), tmp_path)
    again = load(resolve(str(tmp_path), "finetune"), options(), CLASSES)
    kept = load(resolve(str(tmp_path), "finetune"), options(), (), fresh_head=False)
    assert not np.array_equal(
        again.module.model.classifier.weight.detach(), kept.module.model.classifier.weight.detach()
    )
    assert np.array_equal(
        again.module.model.bert.encoder.layer[0].output.dense.weight.detach(),
        kept.module.model.bert.encoder.layer[0].output.dense.weight.detach(),
    )


def test_training_that_diverges_is_said(made: Callable[[str], Path]) -> None:
    with pytest.raises(OutgrowError, match="training diverged: the loss is nan"):
        learned(made("llama"), options(lr=10.0, epochs=40, clip=1e30, warmup=0.0))


def test_no_litter(made: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    learn(made("bert"), options(), scratch=scratch)
    assert [path.name for path in tmp_path.rglob("*")] == ["scratch"]


def test_choose_learning_leaves_the_head_to_learn(made: Callable[[str], Path]) -> None:
    loaded = load(resolve(str(made("mpnet")), "finetune"), options(), CLASSES)
    choose_learning(loaded.module, options(bitfit=True))
    learning = {name for name, value in loaded.module.named_parameters() if value.requires_grad}
    assert {"model.classifier.dense.weight", "model.classifier.out_proj.weight"} <= learning
    assert all(name.endswith("bias") for name in learning if not name.startswith("model.classifier."))
