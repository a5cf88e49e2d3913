"""Steps that fail, workers that die, disks that fill, kills and races: what can be made is made, and told."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toys
from toy_steps import bad, contents, number, pids, start, total, value, wait_for

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.execution.execute import execute
from outgrow.execution.progress import Silent
from outgrow.execution.step import Step
from outgrow.execution.store import Store

pytestmark = pytest.mark.usefixtures("toy_kinds")


# Failures


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("sentence", "bad sentence: the file is broken; repair it"),
        ("bug", "bad bug: ZeroDivisionError: division by zero"),
    ],
)
def test_what_does_not_need_a_failed_step_is_made(tmp_path: Path, how: str, sentence: str, jobs: int) -> None:
    failing = bad(how, number(1))
    child, grandchild = total(failing), total(total(failing))
    fine = total(number(2), number(3))
    with pytest.raises(OutgrowError) as caught:
        execute([child, grandchild, fine], Store(tmp_path), toys.machine(jobs=jobs))
    first, last = str(caught.value).splitlines()
    assert first.startswith(sentence)
    assert last.startswith("1 of 7 steps failed, 2 that need them were not started; what was made is kept")
    assert (caught.value.exit_code, value(Store(tmp_path), fine)) == (1, 5)
    assert not Store(tmp_path).has(failing.key)
    assert disk.entries(tmp_path / "tmp") == []
    if how == "bug":
        assert isinstance(caught.value.__cause__, ZeroDivisionError) == (jobs == 1)
        assert jobs == 1 or "in bad\n" in str(caught.value.__cause__)


@pytest.mark.parametrize("jobs", [1, 2])
def test_wrong_input_found_by_a_step_is_a_usage_error(tmp_path: Path, jobs: int) -> None:
    with pytest.raises(UsageError) as caught:
        execute([bad("usage")], Store(tmp_path), toys.machine(jobs=jobs))
    assert caught.value.problems == ("a.csv: no column x", "a.csv: no column y")
    with pytest.raises(OutgrowError) as other:
        execute([bad("usage"), bad("sentence")], Store(tmp_path), toys.machine(jobs=jobs))
    assert other.value.exit_code == 1


def test_after_a_failure_the_same_call_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sources = {"log": str(log), "flag": str(tmp_path / "flag")}
    wanted = [total(bad("once", number(1)), number(2))]
    with pytest.raises(OutgrowError, match="not yet"):
        execute(wanted, Store(tmp_path / "store"), toys.machine(), sources)
    execute(wanted, Store(tmp_path / "store"), toys.machine(), sources)
    assert value(Store(tmp_path / "store"), wanted[0]) == 3
    assert [line.split()[:2] for line in log.read_text().splitlines()] == [
        ["number", "1"],
        ["number", "2"],
        ["sum", "0"],
    ]


def test_a_killed_worker_is_named_and_the_rest_is_made(tmp_path: Path) -> None:
    fine = [number(n) for n in range(4)]
    shown = Silent()
    with pytest.raises(OutgrowError) as caught:
        execute([bad("killed"), *fine, bad("exits")], Store(tmp_path), toys.machine(jobs=2), display=shown)
    killed, ended, summary = str(caught.value).splitlines()
    was_killed = "bad killed: its worker process was killed (SIGKILL), most often because memory ran out"
    assert {killed, ended} == {
        f"{was_killed}, and again when it ran alone",
        "bad exits: its worker process ended by itself (exit code 3), and again when it ran alone",
    }
    assert f"{was_killed}; it is tried once more, alone, after the others" in shown.notes
    assert summary.startswith("2 of 6 steps failed; what was made is kept")
    assert [value(Store(tmp_path), step) for step in fine] == [0, 1, 2, 3]
    assert disk.entries(tmp_path / "tmp") == []


def test_what_was_killed_for_memory_is_made_alone_after_the_others(tmp_path: Path) -> None:
    sources = {"log": str(tmp_path / "log"), "flag": str(tmp_path / "flag")}
    store, hungry = Store(tmp_path / "store"), bad("hungry")
    child = total(hungry, number(9))
    slow = [number(n, sleep=0.3) for n in range(4)]
    execute([child, *slow], store, toys.machine(jobs=2), sources)
    assert value(store, child) == 16
    order = [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()]
    assert order.count("hungry") == 2
    assert order[-2:] == ["hungry", "sum"], "its second try has the machine to itself, and what needs it comes after"


def test_company_of_a_killed_step_is_made(tmp_path: Path) -> None:
    features = number(1)
    heads = [Step("many", {"value": n, "kill": n == 2}, {"features": features}, label=f"head {n}") for n in range(4)]
    with pytest.raises(OutgrowError, match=r"head 2: its worker process was killed .* and again when it ran alone"):
        execute(heads, Store(tmp_path), toys.machine(jobs=2))
    assert [Store(tmp_path).has(head.key) for head in heads] == [True, True, False, True]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_ends_the_run_and_the_same_call_finishes_it(small_disk: Path, jobs: int) -> None:
    store = Store(small_disk / "store")
    (small_disk / "ballast").write_bytes(bytes(900_000))
    wanted = [total(Step("number", {"value": n}), plus=1) for n in range(30)]
    with pytest.raises(disk.FullDisk, match=r"the disk is full; nothing already computed is lost.*outgrow prune"):
        execute(wanted, store, toys.machine(jobs=jobs))
    kept = len(contents(store.root))
    assert 0 < kept < 60
    (small_disk / "ballast").unlink()
    execute(wanted, Store(store.root), toys.machine(jobs=jobs))
    assert [value(store, step) for step in wanted] == list(range(1, 31))


def test_no_process_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--jobs 0"):
        execute([number(1)], Store(tmp_path), toys.machine(jobs=0))


# Kills and races


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_moments_it_ends_with_the_same(tmp_path: Path, jobs: int) -> None:
    execute(toys.slow_graph(), Store(tmp_path / "undisturbed"), toys.machine())
    rng, root = random.Random(jobs), tmp_path / "store"
    kills, longest = 0, 0.4
    while kills < 10:
        process = start(root, jobs)
        time.sleep(rng.uniform(0.0, longest))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        else:  # too late, it was done: begin again, and strike sooner
            longest *= 0.8
            shutil.rmtree(root)
        process.communicate()
    process = start(root, jobs)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0
    assert contents(root) == contents(tmp_path / "undisturbed")
    assert disk.entries(root / "tmp") == []
    assert disk.entries(root / "damaged") == []


def test_two_runs_on_one_store_end_with_the_same(tmp_path: Path) -> None:
    execute(toys.slow_graph(), Store(tmp_path / "undisturbed"), toys.machine())
    both = [start(tmp_path / "store", jobs) for jobs in (1, 2)]
    for process in both:
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0
    assert contents(tmp_path / "store") == contents(tmp_path / "undisturbed")
    assert disk.entries(tmp_path / "store" / "tmp") == []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_the_process_that_started_them(tmp_path: Path, sent: signal.Signals) -> None:
    root, log = tmp_path / "store", tmp_path / "store.log"
    process = start(root, jobs=2, sleep=60)
    try:
        wait_for(lambda: len(pids(log)) == 2)
        workers = pids(log)
        assert all(map(alive, workers))
        os.kill(process.pid, sent)
        process.communicate(timeout=60)
        wait_for(lambda: not any(map(alive, workers)), 5)
        assert process.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: -2}[sent]
        assert sent == signal.SIGKILL or disk.entries(root / "tmp") == []
    finally:
        for pid in {process.pid, *pids(log)}:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def test_a_run_holds_the_store_and_sweeps_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    refused: list[str] = []

    class Pruner(Silent):
        def start(self, name: str, label: str) -> None:
            with pytest.raises(OutgrowError, match="a run is using this store") as caught:
                Store(tmp_path).prune(older_than=0)
            refused.append(str(caught.value))

    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / "tmp" / f"{disk.this_host()}-{int(ended.stdout)}-{'a' * 32}"
    left.mkdir(parents=True)
    (tmp_path / "store.json").write_text('{"layout": 1}')
    execute([number(1)], store, toys.machine(), display=Pruner())
    assert len(refused) == 1
    assert not left.exists()
