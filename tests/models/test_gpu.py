"""On a GPU: what a CPU gives, within rounding; the same bits twice, in any company, and after a kill."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny
import torch
from finetuning import CLASSES, NUMBERS, TEXTS, learn, learned, options, soft
from in_processes import by

from outgrow.core.errors import OutgrowError
from outgrow.execution.machine import resolve_device
from outgrow.methods.losses import Confidence, Naive
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.tokens import PaddedOn, batches, read_texts
from outgrow.models.finetune.resume import Halfway
from outgrow.models.finetune.saved import predict_texts, train_texts
from outgrow.models.finetune.train import Lesson
from outgrow.models.heads.probe import Probe
from outgrow.models.heads.solver import Problem, Solver, solve
from outgrow.models.prompt import ask as prompting
from outgrow.models.prompt.options import Prompt

WHY = "there is no CUDA device here, or it is hidden: with -m gpu these tests run alone and see it"
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason=WHY)]


def test_auto_takes_it() -> None:
    assert resolve_device("auto") == "cuda"


@pytest.fixture
def steady(tmp_path: Path) -> Callable[[str], Path]:
    return lambda family: tiny.steady(family, tmp_path / family)


def lessons(count: int, classes: int) -> list[Problem]:
    made = []
    for seed in range(count):
        draw = np.random.default_rng([seed, 1])
        rows = draw.permutation(300)[: draw.integers(100, 300)]
        targets = draw.dirichlet(np.ones(classes), len(rows)).astype(np.float32)
        made.append(Problem(rows, targets, None, [Naive(), Confidence()][seed % 2], 0.03, seed))
    return made


@pytest.mark.parametrize("classes", [2, 5])
def test_heads_agree_with_a_cpu_and_their_bits_depend_on_nothing_else(classes: int) -> None:
    inputs, all_ = np.random.default_rng(0).normal(size=(300, 96)).astype(np.float32), lessons(64, classes)
    together = solve(inputs, all_, Solver(), "cuda")
    for head, on_cpu in zip(together, solve(inputs, all_, Solver()), strict=True):
        np.testing.assert_allclose(head.weight, on_cpu.weight, atol=2e-3)
    order = np.random.default_rng(2).permutation(64)
    permuted = solve(inputs, [all_[place] for place in order], Solver(), "cuda")
    for again in (solve(inputs, all_, Solver(), "cuda"), [permuted[int(place)] for place in np.argsort(order)]):
        assert all(np.array_equal(head.weight, other.weight) for head, other in zip(together, again, strict=True))
    for place in (0, 1, 63):
        assert np.array_equal(together[place].weight, solve(inputs, [all_[place]], Solver(), "cuda")[0].weight)


@pytest.mark.parametrize("family", ["bert", "gpt2", "llama"])
def test_features_agree_with_a_cpu(steady: Callable[[str], Path], family: str) -> None:
    location = resolve(str(steady(family)), "probe")
    one, other = (Probe(checkpoint="x").features(TEXTS, location, device, tiny.quiet) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(other.values, one.values, atol=1e-4)
    half = Probe(checkpoint="x", precision="bf16").features(TEXTS, location, "cuda", tiny.quiet)
    np.testing.assert_allclose(half.values, one.values, atol=0.1)


def test_batches_put_together_there_are_those_of_the_host(made: Callable[[str], Path]) -> None:
    tokens = read_texts(resolve(str(made("gpt2")), "finetune"), ["", *TEXTS], max_length=None, chat_template=False)
    rows = np.array([3, 0, 9, 5, 1])
    there, here = (PaddedOn(tokens, rows, 7, device) for device in ("cuda", "cpu"))
    for places in (np.array([1]), np.array([4, 1, 0]), *batches(there.lengths)):
        for one, other in zip(there.batch(places), here.batch(places), strict=True):
            assert torch.equal(one.cpu(), other)


CASES: dict[str, dict[str, Any]] = {
    "whole": {},
    "confidence": {"method": Confidence()},
    "bitfit": {"bitfit": True},
    "lora": {"lora": {"r": 2}},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("family", ["bert", "gpt2", "llama"])
def test_finetunings_agree_with_a_cpu(steady: Callable[[str], Path], family: str, case: str) -> None:
    changes = dict(CASES[case])
    method = changes.pop("method", None)
    asked, folder = options(**changes), steady(family)
    on_cpu, there = (learned(folder, asked, method, device=device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there, on_cpu, atol=2e-3)


SMALL = {"precision": "bf16", "checkpointing": True, "clip": 0.1}


@pytest.mark.parametrize("changes", [{}, {"lora": {"r": 2, "dropout": 0.2}, **SMALL}, {"bitfit": True, **SMALL}])
def test_the_same_bits_twice_and_after_a_kill(made: Callable[[str], Path], tmp_path: Path, changes: Any) -> None:
    asked, folder = options(epochs=4, **changes), made("llama")

    def trained(**more: Any) -> list[torch.Tensor]:
        found, _ = learn(folder, asked, device="cuda", **more)
        return [value.detach().cpu().clone() for value in found.loaded.module.parameters()]

    def killed(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    kept = Halfway(tmp_path / "halfway" / "key", 0.0, tmp_path / "beside")
    first = trained()
    with pytest.raises(KeyboardInterrupt):
        trained(halfway=kept, progress=killed)
    for again in (trained(), trained(halfway=replace(kept))):
        assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_lora_in_bf16_is_near_float32_and_its_body_is_held_in_bf16(steady: Callable[[str], Path]) -> None:
    folder = steady("llama")
    asked = options(lora={"r": 2}, precision="bf16")
    found, _ = learn(folder, asked, device="cuda")
    frozen = [one for one in found.loaded.module.modules() if isinstance(one, torch.nn.Embedding)]
    assert {one.weight.dtype for one in frozen} == {torch.bfloat16}
    plain = learned(folder, options(lora={"r": 2}), device="cuda")
    np.testing.assert_allclose(learned(folder, asked, device="cuda"), plain, atol=0.03)


def test_a_kept_student_predicts_there_as_on_a_cpu(steady: Callable[[str], Path], tmp_path: Path) -> None:
    location = resolve(str(steady("bert")), "finetune")
    (tmp_path / "kept").mkdir()
    lesson = Lesson(NUMBERS, soft(3), Naive(), 0)
    train_texts(location, options(), TEXTS, CLASSES, lesson, tmp_path / "kept", device="cuda")
    one, other = (predict_texts(tmp_path / "kept", TEXTS, device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(other, one, atol=1e-3)


def test_memory_that_does_not_suffice_ends_in_a_sentence(made: Callable[[str], Path]) -> None:
    budgets: list[int] = []

    class Greedy(Naive):
        def loss(self, logits: Any, weak: Any, progress: float, statistic: Any = None) -> Any:
            budgets.append(len(logits))
            torch.empty(2**50, dtype=torch.uint8, device=logits.device)  # a petabyte
            return super().loss(logits, weak, progress, statistic)

    with pytest.raises(OutgrowError, match="memory does not suffice, with batches of 4096 and of 2048 padded tokens"):
        learn(made("bert"), options(), Greedy(), device="cuda")
    assert len(budgets) == 2


def test_a_prompted_model_agrees_with_a_cpu(steady: Callable[[str], Path]) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = steady("llama")
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
    location = resolve(str(folder), "prompt")
    asked = Prompt(checkpoint="x", template="{text} {label}", words={"no": "film", "yes": "town"})
    one, other = (
        prompting.ask(location, asked, ("no", "yes"), TEXTS, (), device, tiny.quiet).probabilities
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(other, one, atol=1e-3)


def test_teach_and_predict(tmp_path: Path, steady: Callable[[str], Path]) -> None:
    from typer.testing import CliRunner

    from outgrow.cli.app import app

    draw = np.random.default_rng(0)
    rows = [(" ".join(draw.choice(tiny.WORDS, 6)), number % 2) for number in range(120)]
    with (tmp_path / "cheap.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    student = f"{{probe: {steady('bert')}}}"
    common = ["--device", "cuda"]
    taught = [
        str(tmp_path / "cheap.csv"),
        "--text",
        "text",
        "--label",
        "label",
        "--student",
        student,
        "--out",
        str(tmp_path / "student"),
    ]
    for command in (
        ["teach", *taught, *common],
        [
            "predict",
            str(tmp_path / "student"),
            str(tmp_path / "cheap.csv"),
            "--out",
            str(tmp_path / "said.csv"),
            *common,
        ],
    ):
        answer = CliRunner().invoke(app, command)
        assert answer.exit_code == 0, answer.output
    assert len((tmp_path / "said.csv").read_text().splitlines()) == 121


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU a process")
def test_shards_on_two_gpus_learn_what_one_process_learns(tmp_path: Path) -> None:
    one, two = (by(processes, tmp_path, "cuda") for processes in (1, 2))
    assert two["stopped"]["again"] == two["stopped"]["whole"]
    for name, found in one.items():
        if name == "stopped":
            continue
        for what in ("losses", "ended", "left"):
            np.testing.assert_allclose(two[name][what], found[what], atol=5e-3, err_msg=f"{name}: {what}")
