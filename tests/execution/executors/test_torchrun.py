"""Steps that two processes make together: what they share, how they fail, and that none outlives the run."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
import toys
from children import python
from places import SRC, SUPPORT
from toy_steps import contents, number, total, value, wait_for

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.execution.execute import execute
from outgrow.execution.executors.executor import WorkOrder
from outgrow.execution.executors.torchrun import _environment
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.step import Step
from outgrow.execution.store import Store

pytestmark = pytest.mark.usefixtures("toy_kinds")
TOGETHER = 3 + 200 + 8000 + 100_000  # 1 + 2, of two processes, with the whole budget and one thread each


def shared(processes: int = 2, **params: Any) -> Step:
    return Step("shared", params, label="shared", flops=1.0, processes=processes)


def logged(folder: Path) -> list[list[str]]:
    """What each process that began wrote: the kind, its place or value, its process id."""
    file = folder / "log"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def make(folder: Path, *steps: Step, display: Silent | None = None, **machine: Any) -> Store:
    store = Store(folder / "store")
    execute(steps, store, toys.machine(**machine), {"log": str(folder / "log")}, display)
    return store


def gone(folder: Path) -> bool:
    return not any(Path(f"/proc/{process}").exists() for kind, _, process in logged(folder) if kind == "shared")


class Noting(Silent):
    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def advance(self, name: str, done: int, of: int) -> None:
        self.seen.append((done, of))


@pytest.mark.slow
def test_two_processes_make_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    display = Noting()
    step = shared()
    store = make(tmp_path, total(step, number(1)), display=display)
    assert value(store, step) == TOGETHER
    assert {place for kind, place, _ in logged(tmp_path) if kind == "shared"} == {"0", "1"}
    assert (1, 2) in display.seen
    assert store.meta(step.key)["environment"]["processes"] == 2
    assert "processes" not in store.meta(number(1).key)["environment"]
    assert step.key == shared(processes=1).key, "how many make it is no part of what it is"
    wait_for(lambda: gone(tmp_path))
    assert disk.entries(tmp_path / "store" / "tmp") == []
    assert disk.entries(tmp_path / "temporary") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "error", "sentence"),
    [("sentence", OutgrowError, "shared: the file is broken; repair it"), ("usage", UsageError, "a.csv: no column x")],
)
def test_one_of_them_gives_the_reason(how: str, error: type[OutgrowError], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=sentence):
        make(tmp_path, shared(how=how), number(1))
    assert value(Store(tmp_path / "store"), number(1)) == 1
    failed = [line for line in logged(tmp_path) if line[:2] == ["shared", "1"]]
    assert len(failed) == 1, "what fails with a reason is not repeated"
    wait_for(lambda: gone(tmp_path))


@pytest.mark.slow
def test_memory_of_one_runs_out(tmp_path: Path) -> None:
    enough, less = shared(memory=4), shared(memory=3)
    with pytest.raises(OutgrowError, match=r"batches of 8 and of 4 padded tokens .*: give fewer toys"):
        make(tmp_path, enough, less)
    assert value(Store(tmp_path / "store"), enough) == TOGETHER - 4000, "all have half of it"
    assert len(contents(tmp_path / "store")) == 1


@pytest.mark.slow
def test_one_of_them_is_killed(tmp_path: Path) -> None:
    once = shared(how="killed once")
    with pytest.raises(OutgrowError, match=r"one of its 2 processes ended without giving a reason.*once more"):
        make(tmp_path, once, shared(how="killed"))
    assert value(Store(tmp_path / "store"), once) == TOGETHER, (
        "the same bits: nothing is halved that did not lack memory"
    )
    wait_for(lambda: gone(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_none_outlives_the_run(jobs: int, tmp_path: Path) -> None:
    code = """if True:
        import sys
        from pathlib import Path
        import toys
        from outgrow.execution.execute import execute
        from outgrow.execution.step import Step
        from outgrow.execution.store import Store
        toys.register()
        step = Step("shared", {"sleep": 60}, processes=2)
        machine = toys.machine(jobs=int(sys.argv[2]))
        execute([step], Store(Path(sys.argv[1], "store")), machine, {"log": sys.argv[1] + "/log"})
    """
    path = os.pathsep.join([str(SRC), str(SUPPORT)])
    run = python(code, tmp_path, jobs, environment={"PYTHONPATH": path})
    wait_for(lambda: len(logged(tmp_path)) == 2, 60)
    run.kill()
    run.wait()
    wait_for(lambda: gone(tmp_path))
    time.sleep(0.5)
    assert len(logged(tmp_path)) == 2, "torchrun does not start them again"


@pytest.mark.slow
def test_worker_processes_have_nothing_beside_them(tmp_path: Path) -> None:
    steps = [number(1, sleep=1), shared(), number(2)]
    store = make(tmp_path, *steps, jobs=3)
    assert [value(store, step) for step in steps] == [1, TOGETHER, 2]
    assert [kind for kind, _, _ in logged(tmp_path)] == ["number", "shared", "shared", "number"]


@pytest.mark.parametrize(
    ("device", "there", "sentence"),
    [
        ("cuda:0,cuda:1", ("cuda:0", "cuda:1"), "3 processes with a GPU each, and there are 2"),
        ("cuda:1", ("cuda:1",), "3 processes with a GPU each, and there is 1"),
        ("cuda:0,cuda:1,cuda:0", ("cuda:0", "cuda:1", "cuda:0"), "3 processes with a GPU each, and there are 2"),
        ("mps", ("mps",), "3 processes with a GPU each"),
    ],
)
def test_there_are_fewer_gpus(
    device: str, there: tuple[str, ...], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, "devices", lambda self: there)
    for jobs in (1, 2):
        with pytest.raises(UsageError, match=sentence):
            make(tmp_path, shared(3), number(jobs), device=device, jobs=jobs)
        assert value(Store(tmp_path / "store"), number(jobs)) == jobs, "the others are made all the same"


def test_they_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("outgrow.execution.machine.cores", lambda: 16)
    assert Machine(jobs=4).threads_for(1) == 4
    assert Machine(jobs=4).threads_for(2) == 8, "nothing is made beside them"
    assert Machine(jobs=4).threads_for(32) == 1
    assert Machine(threads=3).threads_for(2) == 3


@pytest.mark.slow
def test_torchrun_itself_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PET_NNODES", "2")  # an option of torchrun's that somebody else has set
    step = shared(sleep=0)
    assert value(make(tmp_path, step), step) == TOGETHER
    monkeypatch.setattr(
        "outgrow.execution.executors.torchrun._command", lambda order, message: ["sh", "-c", "echo no >&2; exit 3"]
    )
    with pytest.raises(OutgrowError, match=r"torchrun could not start its 2 processes \(exit code 3\): no"):
        make(tmp_path, shared(sleep=0.01))
    monkeypatch.setattr(
        "outgrow.execution.executors.torchrun._command", lambda order, message: ["sh", "-c", "kill -9 $$"]
    )
    with pytest.raises(OutgrowError, match="torchrun, which watches over its 2 processes, was ended by SIGKILL"):
        make(tmp_path, shared(sleep=0.01))


def test_each_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "devices", lambda self: tuple(self.device.split(",")))
    device = Machine(device="cuda:2,cuda:1,cuda:0").devices_for(2)
    assert device == "cuda:2,cuda:1"
    order = WorkOrder({}, (), device, 8, {}, processes=2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert _environment(order)["CUDA_VISIBLE_DEVICES"] == "2,1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,GPU-7")
    assert _environment(order)["CUDA_VISIBLE_DEVICES"] == "GPU-7,5"
    assert _environment(order)["OMP_NUM_THREADS"] == "8"
    assert Machine(device="cpu").devices_for(2) == "cpu"
