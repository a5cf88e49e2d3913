"""Running steps: the right ones, once, in order; whatever is killed, fails or is damaged; alone or in company."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
import toys
from toy_steps import contents, number, pids, total, value

from outgrow.core.errors import OutgrowError
from outgrow.core.files import disk
from outgrow.execution.execute import execute
from outgrow.execution.machine import environment
from outgrow.execution.progress import Silent
from outgrow.execution.schedule import Schedule, missing
from outgrow.execution.step import Step
from outgrow.execution.store import Store
from outgrow.execution.throughput import Rates

pytestmark = pytest.mark.usefixtures("toy_kinds")


# What is made


def test_what_is_missing_is_made_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "log"
    store, sources = Store(tmp_path / "store"), {"log": str(log)}
    one, two = number(1), number(2)
    both = total(one, two)
    execute([both], store, toys.machine(), sources)
    assert value(store, both) == 3
    assert [line.split()[:2] for line in log.read_text().splitlines()] == [
        ["number", "1"],
        ["number", "2"],
        ["sum", "0"],
    ]

    log.unlink()
    execute([both], store, toys.machine(), sources)
    assert not log.exists(), "all is there"

    # A parent of a present step is not looked at: it may have been pruned or damaged.
    (store.folder(one.key) / "value.json").write_text("7")
    (store.folder(two.key) / "value.json").write_text("7")
    more = total(both, number(3))
    shown = Silent()
    execute([more], Store(store.root), toys.machine(), sources, shown)
    assert value(store, more) == 6
    assert [line.split()[:2] for line in log.read_text().splitlines()] == [["number", "3"], ["sum", "0"]]
    assert shown.notes == []


def test_the_record_says_what_was_made_how(tmp_path: Path) -> None:
    import numpy

    store = Store(tmp_path)
    step = Step("number", {"value": 4, "sleep": 0.05}, label="not identity", flops=2e6)
    child = total(step)
    execute([child], store, toys.machine(threads=3))
    meta = store.meta(step.key)
    assert (meta["kind"], meta["version"], meta["params"], meta["parents"]) == (
        "number",
        1,
        {"value": 4, "sleep": 0.05},
        {},
    )
    assert store.meta(child.key)["parents"] == {"p0": step.key}
    assert 0.05 <= meta["seconds"] < 5
    assert meta["flops"] == 2e6
    assert "not identity" not in json.dumps(meta)
    assert meta["environment"]["numpy"] == numpy.__version__
    assert meta["environment"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert (meta["environment"]["threads"], meta["environment"]["device"]) == (3, "cpu")
    assert set(meta["environment"]) == set(environment("cpu", 3))
    pace = Rates(store).seconds([step], "cpu", 3)
    assert pace is not None
    assert 2 * 0.05 <= pace <= 2 * meta["seconds"], "the toy reports half of its work before it sleeps"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_damaged_parent_is_made_again_before_its_child(tmp_path: Path, jobs: int) -> None:
    store = Store(tmp_path)
    parent = total(number(1), number(2))
    execute([parent], store, toys.machine())
    (store.folder(parent.key) / "value.json").write_text("9")
    child = total(parent, plus=10)
    shown = Silent()
    execute([child], Store(tmp_path), toys.machine(jobs=jobs), display=shown)
    assert value(Store(tmp_path), child) == 13
    assert len(shown.notes) == 1
    assert "value.json does not match its checksum" in shown.notes[0]


def test_a_parent_lost_during_the_run_is_made_again(tmp_path: Path) -> None:
    class Saboteur(Silent):
        def finish(self, name: str, steps: int, seconds_left: float | None) -> None:
            if name == parent.key and not (tmp_path / "gone").exists():
                store.folder(parent.key).rename(tmp_path / "gone")

    store = Store(tmp_path / "store")
    parent = number(1)
    child = total(parent, number(2))
    execute([child], store, toys.machine(), display=Saboteur())
    assert value(store, child) == 3


def test_a_parent_lost_again_and_again_ends_in_a_sentence(tmp_path: Path) -> None:
    class Saboteur(Silent):
        def finish(self, name: str, steps: int, seconds_left: float | None) -> None:
            if name == parent.key:
                store.folder(parent.key).rename(tmp_path / str(time.monotonic_ns()))

    store = Store(tmp_path / "store")
    parent = number(1)
    with pytest.raises(OutgrowError, match="number 1: its result was lost again each of 3 times"):
        execute([total(parent)], store, toys.machine(), display=Saboteur())


def test_damaged_wanted_results_are_made_again(tmp_path: Path) -> None:
    execute([number(1)], Store(tmp_path), toys.machine())
    os.truncate(Store(tmp_path).folder(number(1).key) / "bulk.bin", 10)
    execute([number(1)], Store(tmp_path), toys.machine())
    assert value(Store(tmp_path), number(1)) == 1


@pytest.mark.parametrize("jobs", [1, 3])
def test_any_number_of_processes_makes_the_same(tmp_path: Path, jobs: int) -> None:
    execute(toys.slow_graph(), Store(tmp_path / "alone"), toys.machine(jobs=1))
    log = tmp_path / "log"
    execute(toys.slow_graph(), Store(tmp_path / "store"), toys.machine(jobs=jobs), {"log": str(log)})
    assert contents(tmp_path / "store") == contents(tmp_path / "alone")
    assert len(contents(tmp_path / "store")) == 27
    assert (pids(log) == {os.getpid()}) == (jobs == 1)
    assert len(pids(log)) == jobs
    assert disk.entries(tmp_path / "store" / "tmp") == []


def test_threads_are_held_to_and_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr("outgrow.execution.executors.processes.torch_is_loaded", lambda: True)
    before = torch.get_num_threads()
    for jobs, threads in [(1, before + 1), (2, before + 2)]:
        step = Step("threads", {"run": jobs})
        execute([step], Store(tmp_path), toys.machine(jobs=jobs, threads=threads))
        assert value(Store(tmp_path), step) == threads
        assert torch.get_num_threads() == before


# Company


def test_heads_are_made_64_at_a_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    features = [number(1), number(2)]
    heads = [Step("many", {"value": n}, {"features": f}) for n in range(70) for f in features]
    execute(heads, Store(tmp_path / "store"), toys.machine(), {"log": str(log)})
    sizes = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("many")]
    assert sizes == [64, 64, 6, 6]
    assert [value(Store(tmp_path / "store"), head) for head in heads[-2:]] == [79, 89]


def test_heads_wait_for_company_that_does_not_need_them(tmp_path: Path) -> None:
    log = tmp_path / "log"
    features = number(1)
    ready = [Step("many", {"value": n}, {"features": features}) for n in range(3)]
    soon = [Step("many", {"value": n}, {"features": features, "labels": total(number(5), plus=n)}) for n in range(3)]
    later = [Step("many", {"value": n}, {"features": features, "labels": ready[0]}) for n in range(2)]
    execute([*ready, *later, *soon], Store(tmp_path / "store"), toys.machine(), {"log": str(log)})
    sizes = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("many")]
    assert sizes == [6, 2]


def test_two_groups_that_wait_for_each_other_go_on() -> None:
    f, g = number(1), number(2)
    a = Step("many", {"value": 1}, {"features": f})
    b = Step("many", {"value": 1}, {"features": g})
    a2 = Step("many", {"value": 2}, {"features": f, "labels": b})
    b2 = Step("many", {"value": 2}, {"features": g, "labels": a})
    schedule = Schedule(missing([a, b, a2, b2], lambda step: step in (f, g)))
    rounds = []
    while schedule.todo:
        steps = schedule.next()
        assert steps
        rounds.append(steps)
        schedule.done(steps)
    assert rounds == [[a], [b, b2], [a2]]


def test_one_failing_head_does_not_take_its_company_along(tmp_path: Path) -> None:
    log, features = tmp_path / "log", number(1)
    heads = [Step("many", {"value": n, "fail": n == 3}, {"features": features}, label=f"head {n}") for n in range(6)]
    with pytest.raises(OutgrowError, match="head 3: this head has no data"):
        execute(heads, Store(tmp_path / "store"), toys.machine(), {"log": str(log)})
    assert [Store(tmp_path / "store").has(head.key) for head in heads] == [True] * 3 + [False] + [True] * 2
    sizes = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("many")]
    assert sizes == [6, 1, 1, 1, 1, 1, 1]
