"""A training that was cut short goes on from its last state, and ends with the bits of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models as tiny
from finetuning import NUMBERS, learn, options, soft, weights
from killed import started

from outgrow.core.files import disk
from outgrow.execution.machine import Machine
from outgrow.execution.store import Store
from outgrow.experiment.pipeline import run
from outgrow.methods.losses import Confidence
from outgrow.models.finetune import train as finetune
from outgrow.models.finetune.learning_curve import Watch
from outgrow.models.finetune.resume import Halfway
from outgrow.models.finetune.train import Finetuned, HeadFirst

pytestmark = pytest.mark.usefixtures("one_thread")


class Killed(Exception):
    """In place of a signal, which would end the tests too."""


def halfway(folder: Path) -> Halfway:
    return Halfway(folder / "halfway" / "key", 0.0, folder / "beside")


def until(step: int, before: int = 0) -> Callable[[int, int], None]:
    """Ends a training at a step, after some steps of another one."""
    seen = 0

    def progress(done: int, total: int) -> None:
        nonlocal seen
        seen += 1
        if seen > before and done == step:
            raise Killed

    return progress


def equal(one: Finetuned, other: Finetuned) -> None:
    assert one.curve == other.curve
    assert one.taken_at == other.taken_at
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value.tobytes() == second[name].tobytes(), name


CASES: dict[str, dict[str, Any]] = {
    "whole": {},
    "lora": {"lora": {"r": 2, "dropout": 0.2}},
    "bitfit": {"bitfit": True},
    "confidence": {"method": Confidence()},
    "early": {"early_stop": 3, "lr": 0.02},
    "probe first": {"head_first": HeadFirst(2, 0.01)},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("step", [2, 5])  # of 12: within the first epoch of three steps, and at an epoch's beginning
def test_it_goes_on_to_the_same_bits(made: Callable[[str], Path], tmp_path: Path, case: str, step: int) -> None:
    changes = dict(CASES[case])
    more = {name: changes.pop(name) for name in ("method", "head_first") if name in changes}
    asked = options(epochs=4, **changes)  # dropout as the family has it: the random states must come back as well
    if "early_stop" in changes:
        more["watch"] = Watch(validation=NUMBERS[:8], judged=soft(3)[:8])
    folder = made("bert")
    undisturbed, _ = learn(folder, asked, **more)
    before = 6 if "head_first" in more else 0  # a head that learns first does so again
    with pytest.raises(Killed):
        learn(folder, asked, halfway=halfway(tmp_path), progress=until(step, before), **more)
    seen: list[int] = []
    again, _ = learn(folder, asked, halfway=halfway(tmp_path), progress=lambda done, total: seen.append(done), **more)
    equal(undisturbed, again)
    assert seen[before] == step  # the last state is of the step before the one that was cut short
    assert not (tmp_path / "beside").exists()


def test_a_damaged_state_is_not_taken_up(made: Callable[[str], Path], tmp_path: Path) -> None:
    undisturbed, _ = learn(made("bert"), options())
    file = halfway(tmp_path).file
    for damage in (lambda data: data[:-40], lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda data: b""):
        with pytest.raises(Killed):
            learn(made("bert"), options(), halfway=halfway(tmp_path), progress=until(4))
        assert halfway(tmp_path).read() is not None
        file.write_bytes(damage(file.read_bytes()))
        assert halfway(tmp_path).read() is None
        again, _ = learn(made("bert"), options(), halfway=halfway(tmp_path))
        equal(undisturbed, again)
        file.unlink()


def test_a_state_of_another_device_or_version_is_not_taken_up(
    made: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Killed):
        learn(made("bert"), options(), halfway=halfway(tmp_path), progress=until(4))
    monkeypatch.setattr(finetune, "fingerprint", lambda device: {"device": device, "torch": "3.0"})
    seen: list[int] = []
    learn(made("bert"), options(), halfway=halfway(tmp_path), progress=lambda done, total: seen.append(done))
    assert seen[0] == 1


def test_it_is_written_when_its_time_has_come(made: Callable[[str], Path], tmp_path: Path) -> None:
    never = Halfway(tmp_path / "never", 3600.0, tmp_path / "beside")
    learn(made("bert"), options(), halfway=never)
    assert never.read() is None


def test_a_state_that_is_no_more_needed_is_pruned(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with store.create("a" * 64, {"kind": "number"}) as folder:
        (folder / "value").write_text("1")
    left = store.halfway("b" * 64)
    left.parent.mkdir()
    left.write_bytes(b"x" * 1000)
    os.utime(left, (0, 0))
    store.prune(older_than=3600)
    assert not left.exists()
    assert store.has("a" * 64)


def command(experiment: Path, store: Path) -> subprocess.Popen[str]:
    words = ["run", experiment, "--store", store, "--out", store.with_suffix(".out"), "--threads", 1]
    return started([*words, "--checkpoint-every", "0.002"])


@pytest.mark.slow
def test_a_killed_run_goes_on_within_a_training(tmp_path: Path) -> None:
    """The command, killed by SIGKILL in the middle of finetuning."""
    student = tiny.make("gpt2", tmp_path / "tiny")
    experiment = tmp_path / "e.yaml"
    experiment.write_text(
        f"""
        tasks: [sentiment]
        weak: [{{static: wordllama, rows: 100}}]
        strong: [{{finetune: {student}, epochs: 20}}]
        seeds: 1
        split: {{weak_train: 200, transfer: 200, test: 100}}
        """
    )
    run(experiment, store=tmp_path / "undisturbed", out=tmp_path / "undisturbed.out", machine=Machine(threads=1))
    store = tmp_path / "store"
    process = command(experiment, store)
    while not disk.entries(store / "halfway"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    (left,) = disk.entries(store / "halfway")
    process = command(experiment, store)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert not left.exists()
    for name in ("predictions.parquet", "curves.parquet", "results.parquet"):
        ours, theirs = (folder.with_suffix(".out") / name for folder in (store, tmp_path / "undisturbed"))
        assert ours.read_bytes() == theirs.read_bytes(), name
