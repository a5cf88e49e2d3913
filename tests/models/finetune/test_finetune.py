"""Finetuning: parts of a batch learn what the whole one does; the mask alone says what is read; the seed alone decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny
from finetuning import CLASSES, NUMBERS, TEXTS, options, soft

from outgrow.core.errors import UsageError
from outgrow.core.registry import BUILT_IN, find
from outgrow.methods.contract import Method
from outgrow.methods.losses import Confidence, Naive
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.tokens import Tokens, read_texts
from outgrow.models.finetune import train as finetuning
from outgrow.models.finetune.batches import Passes, backward_batch, cut, needs_statistic
from outgrow.models.finetune.classifier import Loaded, load, predict
from outgrow.models.finetune.saved import predict_texts, train_texts
from outgrow.models.finetune.train import Lesson, train

pytestmark = pytest.mark.usefixtures("one_thread")

LOSSES = [find("methods", name).load() for name in BUILT_IN["methods"]]
LOSSES = [method for method in LOSSES if method.loss is not Method.loss]


# --- a batch in parts ---


def gradients(loaded: Loaded, tokens: Tokens, targets: Any, method: Method, parts: list[Any], progress: float) -> Any:

    import torch

    loaded.module.zero_grad()

    def logits(part: Any) -> Any:
        ids, mask = tokens.padded(NUMBERS[part], loaded.filler)
        return loaded.module(torch.from_numpy(ids), torch.from_numpy(mask))

    def looking(part: Any) -> Any:
        with torch.no_grad():
            return logits(part)

    passes = Passes(logits, looking, lambda loss: loss.backward())
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

    class ReportedRun(Confidence):
        def loss(self, logits: Any, weak: Any, progress: float, statistic: Any = None) -> Any:
            seen.append(float(statistic))
            return super().loss(logits, weak, progress, statistic)

    location = resolve(str(made("gpt2")), "finetune")
    loaded = load(location, options(), CLASSES[:2])
    loaded.module.eval()
    tokens = read_texts(location, TEXTS, max_length=None, chat_template=False)
    parts = cut(tokens.lengths, 30, 4.0)
    assert len(parts) > 3
    gradients(loaded, tokens, torch.from_numpy(soft(2)), ReportedRun(), parts, 1.0)
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

    class ReportedRun(Naive):
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
        train(location, asked, tokens, CLASSES[:2], Lesson(NUMBERS, targets, ReportedRun(), 0))
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


def test_a_kept_student_reads_a_text_that_ends_in_what_its_tokenizer_pads_with(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, pipeline

    folder = tiny.make("llama", tmp_path / "body", initializer_range=0.3)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.eos_token = tokenizer.pad_token = "light"
    tokenizer.save_pretrained(folder)
    location = resolve(str(folder), "finetune")
    lesson = Lesson(NUMBERS, soft(3), Naive(), 0)
    train_texts(location, options(epochs=1), TEXTS, CLASSES, lesson, tmp_path / "kept")
    texts = [*TEXTS, "film light", "light", "light light", "the film was light"]
    pipe = pipeline("text-classification", str(tmp_path / "kept"), top_k=None, device="cpu")
    theirs = [{score["label"]: score["score"] for score in row} for row in pipe(texts, batch_size=3)]
    ours = predict_texts(tmp_path / "kept", texts)
    np.testing.assert_allclose(ours, [[row[name] for name in CLASSES] for row in theirs], atol=1e-5)
    assert np.abs(ours[-4] - ours[-2]).max() > 1e-3


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
