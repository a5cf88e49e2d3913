"""A prompted language model against one text at a time, and in a run; the majority baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.examples import Examples, Labels
from outgrow.core.inputs.choice import Choice
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import prepare, run
from outgrow.experiment.spec.schema import Experiment
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.tokens import longest
from outgrow.models.majority import Majority
from outgrow.models.prompt.ask import Answers, ask, chosen_shots
from outgrow.models.prompt.choices import ask_choices
from outgrow.models.prompt.options import Prompt

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = ["the film was good", "a quiet triumph of patience and light, though nobody cared", "bad", "the meal", ""]
CLASSES = ("neg", "pos", "so-so")
WORDS = {"neg": "bad", "pos": "good", "so-so": "neither good nor bad"}


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny causal model with random weights and a byte tokenizer, so that words are of several tokens."""
    return str(make(request.param, tmp_path_factory.mktemp(request.param)))


def make(family: str, folder: Path) -> Path:
    import torch
    import transformers as hf
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        ["a bad film", " bad bad bad"],
        trainers.BpeTrainer(vocab_size=270, initial_alphabet=alphabet, show_progress=False),
    )
    torch.manual_seed(1)
    config: Any
    if family == "gpt2":
        config = hf.GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=120, vocab_size=300, initializer_range=0.3)
    else:
        config = hf.LlamaConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, vocab_size=300,
            max_position_embeddings=3000, initializer_range=0.3,
        )  # fmt: skip
    hf.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    hf.PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return folder


def asked(checkpoint: str, texts: list[str] = TEXTS, shots: Any = (), **options: Any) -> Answers:
    model = Prompt(checkpoint=checkpoint, **{"words": WORDS, **options})
    return ask(resolve(checkpoint, "prompt"), model, CLASSES, texts, shots)


def one_at_a_time(checkpoint: str, prompts: list[str], words: list[str]) -> np.ndarray:
    """Sums of log-probabilities `[prompts, words]`, a word after a prompt at a time, nothing padded."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    scores = np.zeros((len(prompts), len(words)))
    for row, prompt in enumerate(prompts):
        for column, word in enumerate(words):
            before, after = tokenizer(prompt)["input_ids"], tokenizer(word)["input_ids"]
            with torch.no_grad():
                logs = model(torch.tensor([before + after])).logits[0].log_softmax(-1)
            scores[row, column] = sum(logs[len(before) + n - 1, token].item() for n, token in enumerate(after))
    return scores


def softmax(scores: np.ndarray) -> np.ndarray:
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def test_word_by_word_and_text_by_text_it_says_the_same(tiny: str) -> None:
    prompts = [f"Text: {text}\nLabel:" for text in [*TEXTS, "N/A", "[MASK]", ""]]
    scores = one_at_a_time(tiny, prompts, [f" {WORDS[name]}" for name in CLASSES])
    plain = asked(tiny, calibrate=False)
    np.testing.assert_allclose(plain.probabilities, softmax(scores[:-3]), atol=1e-5)
    np.testing.assert_allclose(
        asked(tiny).probabilities, softmax(scores[:-3] - np.log(softmax(scores[-3:]).mean(axis=0))), atol=1e-5
    )
    assert plain.truncated == 0
    assert np.abs(plain.probabilities - 1 / 3).max() > 0.2  # it does say something


def test_shots_stand_before_the_text(tiny: str) -> None:
    shots = [("a bad film", 0), ("light", 1)]
    start = "a bad film => bad\n\nlight => good\n\n"
    scores = one_at_a_time(tiny, [f"{start}{text} =>" for text in TEXTS], [f" {WORDS[name]}" for name in CLASSES])
    found = asked(tiny, shots=shots, template="{text} => {label}", calibrate=False)
    np.testing.assert_allclose(found.probabilities, softmax(scores), atol=1e-5)


@pytest.mark.parametrize("per_token", [True, False])
@pytest.mark.parametrize("calibrate", [True, False])
def test_a_candidates_score_is_how_likely_its_tokens_are_after_the_context(
    tiny: str, per_token: bool, calibrate: bool
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32).eval()
    choices = [Choice("was it good?", ("yes", "no, not at all")), Choice("", ("bad", "good", "a film")),
               Choice("so?\n", ("a", "bb"))]  # fmt: skip

    def likely(before: str, end: str) -> float:
        above, ids = tokenizer(before)["input_ids"], tokenizer(end)["input_ids"]
        with torch.no_grad():
            logs = model(torch.tensor([above + ids])).logits[0].log_softmax(dim=-1)
        each = [float(logs[len(above) + place - 1, token]) for place, token in enumerate(ids)]
        return float(np.mean(each) if per_token else np.sum(each))

    options = Prompt(checkpoint=tiny, per_token=per_token, calibrate=calibrate)
    found = ask_choices(resolve(tiny, "prompt"), options, choices)
    for row, one in enumerate(choices):
        scores = np.array([
            likely("\n" + before, end) - (likely("\n", end) if calibrate else 0) for before, end in one.ends
        ])  # fmt: skip
        k = len(one.candidates)
        assert found.probabilities[row, :k] == pytest.approx(softmax(scores[None])[0], abs=1e-4)
        assert (found.probabilities[row, k:] == 0).all()
    turned = ask_choices(
        resolve(tiny, "prompt"), options, [Choice(one.context, one.candidates[::-1]) for one in choices]
    )
    for row, one in enumerate(choices):
        k = len(one.candidates)
        assert turned.probabilities[row, :k][::-1] == pytest.approx(found.probabilities[row, :k], abs=1e-6)


def test_a_choice_that_is_too_long_loses_the_beginning_of_its_context(tiny: str) -> None:
    long = Choice("x" * 500 + " and so it ends:", ("yes", "no"))
    short = Choice(long.context[-40:], ("yes", "no"))
    options = Prompt(checkpoint=tiny, max_length=30, calibrate=False)
    found = ask_choices(resolve(tiny, "prompt"), options, [long, short])
    assert found.truncated == 4
    assert found.probabilities[0] == pytest.approx(found.probabilities[1], abs=1e-6)


def test_a_long_text_is_cut_and_counted_and_nothing_else(tiny: str) -> None:
    shots = [("a bad film", 0)]
    long = "patience " * 100
    found = asked(tiny, [long, "bad"], shots, max_length=110)
    assert found.truncated == 1
    np.testing.assert_allclose(found.probabilities[1], asked(tiny, ["bad"], shots).probabilities[0], atol=1e-5)
    with pytest.raises(UsageError, match="the examples leave no room for a text in 40 tokens"):
        asked(tiny, ["bad"], [("a bad film", 0)] * 3, max_length=40)


@pytest.mark.parametrize("text", ["\N{GRINNING FACE}" * 50, "\u4e2d\u6587" * 40, "a\u0301" * 60])
def test_a_text_is_cut_between_characters(tiny: str, text: str) -> None:
    """Characters of several tokens: half of one would be read as another character, which has as many tokens again."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    for limit in range(8, 40):
        found = longest(f"so {text}", lambda cut: tokenizer(cut)["input_ids"], limit)
        assert limit - 4 < len(found) <= limit
        assert f"so {text}".startswith(tokenizer.decode(found))
    assert longest(text, lambda cut: tokenizer(cut)["input_ids"], 0) == []


def test_words_are_the_tasks_classes(tiny: str) -> None:
    with pytest.raises(UsageError, match="`words` names no, yes, and the task's classes are neg, pos, so-so"):
        asked(tiny, words={"no": "bad", "yes": "good"})
    same = asked(tiny, words=None, calibrate=False).probabilities
    np.testing.assert_array_equal(
        same, asked(tiny, words={name: name for name in CLASSES}, calibrate=False).probabilities
    )
    assert Prompt(checkpoint="x", words={0: "no", True: "yes"}).words == {"0": "no", "true": "yes"}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"template": "{label}"}, "needs {text} once and ends with {label}"),
        ({"template": "{text} {label}!"}, "needs {text} once and ends with {label}"),
        ({"words": {"a": "good", "b": "good"}}, "two classes have the same word"),
        ({"words": {"a": " ", "b": "good"}}, "a class has an empty word"),
        ({"shots": -1}, "greater than or equal to 0"),
    ],
)
def test_prompts_that_cannot_be_asked_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Prompt(checkpoint="x", **options)


def test_shots_take_the_classes_in_turn() -> None:
    labels = np.array([0, 0, 0, 1, 0, 2, 1, 0])
    assert chosen_shots(labels, 4, 3).tolist() == [0, 1, 3, 5]
    assert chosen_shots(labels, 20, 3).tolist() == list(range(8))
    assert chosen_shots(labels, 0, 3).tolist() == []


def experiment(**changes: Any) -> Experiment:
    split = {"weak_train": 30, "transfer": 30, "validation": 10, "test": 60}
    return Experiment(
        **{"name": "x", "tasks": ["sentiment"], "weak": ["static:wordllama"], "seeds": 2, "split": split, **changes}
    )


def test_in_a_run(tmp_path: Path) -> None:
    folder = str(make("llama", tmp_path / "tiny"))
    words = {"0": "bad", "1": "good"}
    few, zero = {"prompt": folder, "words": words, "shots": 2}, {"prompt": folder, "words": words}
    store = Store(tmp_path / "store")
    asked = experiment(strong=[few, zero, "majority"], weak=[{"static": "wordllama", "rows": 20}, zero])
    results = run(asked, store=store, out=tmp_path / "out", machine=Machine(threads=1))
    runs = prepare(asked, store, Machine()).runs
    by = {(one.weak.kind, one.strong.name, one.seed): one for one in runs}
    name = runs[0].strong.name
    # With examples: the student's have weak labels, the ceiling's true ones, drawn for each seed.
    assert by["static", name, 0].student.parents["weak_labels"] == by["static", name, 0].supervisor
    assert by["static", name, 0].ceiling.params["targets"] == "truth"  # type: ignore[union-attr]
    assert by["static", name, 0].student != by["static", name, 1].student
    # Without: one step for all seeds and supervisors, and no ceiling. As a supervisor it answers all that is read.
    alone = runs[2].strong.name
    assert len({by[kind, alone, seed].student for kind in ("static", "prompt") for seed in (0, 1)}) == 1
    assert by["static", alone, 0].ceiling is None
    assert set(by["prompt", name, 0].supervisor.params["reads"]) == {"transfer", "validation", "test"}
    cell = next(one for one in results.cells if one["strong"] == zero)
    assert cell["pgr"]["status"] == "undefined: the student learns nothing, so it has no ceiling"
    assert cell["student_accuracy"]["estimate"] is not None
    majority = [one for one in results.runs if one["strong"] == "majority" and one["weak"] != zero]
    assert all(0.4 < one["student_accuracy"] < 0.6 for one in majority)


def test_a_model_that_learns_nothing_has_no_controls_of_what_it_learned(tmp_path: Path) -> None:
    folder = str(make("llama", tmp_path / "tiny"))
    few, zero = ({"prompt": folder, "words": {"0": "bad", "1": "good"}, "shots": shots} for shots in (2, 0))
    asked = experiment(strong=[few, zero, "majority"], controls=True)
    for one in prepare(asked, Store(tmp_path / "store"), Machine()).runs:
        # Shuffled labels tell nothing of a model that reads none: it is as good with them, and nothing leaks.
        assert set(one.extras) == ({"shuffled", "own_weak", "own_student"} if one.strong.able.learns else set())
        assert one.student not in one.extras.values()


def test_a_prompt_is_changed_by_no_method_and_an_encoder_is_none(tmp_path: Path) -> None:
    folder = str(make("gpt2", tmp_path / "tiny"))
    with pytest.raises(UsageError, match="is asked and never trained, so confidence cannot change it"):
        experiment(strong=[f"prompt:{folder}"], methods=["naive", "confidence"])
    with pytest.raises(UsageError, match="a bert model continues no text, so it cannot be prompted"):
        prepare(experiment(strong=["prompt:minilm"]), Store(tmp_path / "store"), Machine())


def test_a_checkpoint_that_lacks_a_weight_is_not_asked(tmp_path: Path) -> None:
    folder = make("gpt2", tmp_path / "tiny")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "mlp" in name)
    save_file({key: value for key, value in weights.items() if key != name}, folder / "model.safetensors")
    with pytest.raises(OutgrowError, match=r"1 are missing or of another shape, for one .*mlp"):
        asked(str(folder))


def test_majority_says_the_shares_of_the_labels() -> None:
    lesson = Examples(np.array(["a", "b", "c"]), ["x", "y", "z"])
    labels = Labels(lesson.ids, np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]))
    found = Majority().fit(lesson, labels, None, 0).predict(Examples(np.array(["d", "e"]), ["u", "v"]))
    np.testing.assert_allclose(found, [[0.5, 1 / 6, 1 / 3]] * 2)


@pytest.mark.slow
def test_smollm2_knows_good_from_bad() -> None:
    texts = [
        "A wonderful, moving film.",
        "The worst meal of my life.",
        "I love this phone.",
        "Broken after a day, awful.",
    ]
    words = {"0": "negative", "1": "positive"}
    template = "Review: {text}\nSentiment: {label}"
    options = Prompt(checkpoint="smollm2", template=template, words=words, calibrate=False)
    found = ask(resolve("smollm2", "prompt"), options, ("0", "1"), texts)
    assert found.probabilities.argmax(axis=1).tolist() == [1, 0, 1, 0]
