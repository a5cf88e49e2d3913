"""Running steps: the right ones, once, in order; whatever is killed, fails or is damaged; alone or in company."""

import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import toys
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow import disk
from outgrow.core import OutgrowError, UsageError
from outgrow.execute import environment, execute, rates
from outgrow.progress import Lines, Live, Silent, clean, display
from outgrow.schedule import Schedule, missing
from outgrow.steps import KINDS, Context, Step, walk
from outgrow.store import Store

SRC = Path(__file__).parents[1] / "src"


@pytest.fixture(autouse=True)
def toy_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, kind in toys.KINDS_OF_TOYS.items():
        monkeypatch.setitem(KINDS, name, kind)
    # Where another test has loaded torch, every worker would load it too, for seconds.
    monkeypatch.setattr("outgrow.execute._torch_is_loaded", lambda: False)


def number(value: int, **more: object) -> Step:
    return Step("number", {"value": value, **more}, label=f"number {value}")


def total(*parents: Step, plus: int = 0, label: str = "") -> Step:
    return Step("sum", {"plus": plus}, {f"p{n}": parent for n, parent in enumerate(parents)}, label=label)


def bad(how: str, *parents: Step) -> Step:
    return Step("bad", {"how": how}, {str(n): parent for n, parent in enumerate(parents)}, label=f"bad {how}")


def value(store: Store, step: Step) -> int:
    folder = store.open(step.key)
    assert folder is not None
    return toys.value(folder)


def contents(root: Path) -> dict[str, dict[str, object]]:
    """All results of a store: key -> their files' checksums, everything verified."""
    store = Store(root)
    found = {}
    for shelf in disk.entries(root / "objects"):
        for folder in disk.entries(shelf):
            assert store.open(folder.name) is not None
            meta = store.meta(folder.name)
            found[folder.name] = {name: meta[name] for name in ("files", "kind", "params", "parents")}
    assert store.warnings == []
    return found


def start(root: Path, jobs: int = 1, sleep: float = 0) -> "subprocess.Popen[str]":
    """Another process, and a group of its own, that makes `toys.slow_graph` in the store at `root`."""
    code = """if True:
        import sys, time
        from pathlib import Path
        import toys
        from outgrow.execute import execute
        from outgrow.steps import Context, Step
        from outgrow.store import Store
        toys.register()
        wanted = toys.slow_graph()
        if float(sys.argv[3]):
            wanted = [Step("number", {"value": n, "sleep": float(sys.argv[3])}) for n in range(8)]
        print("ready", flush=True)
        log = {"log": sys.argv[1] + ".log"}
        execute(wanted, Store(Path(sys.argv[1])), Context(sources=log), jobs=int(sys.argv[2]))
    """
    path = os.pathsep.join([str(SRC), str(Path(__file__).parent)])
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(root), str(jobs), str(sleep)],
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()
    return process


def wait_for(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def pids(log: Path) -> set[int]:
    return {int(line.split()[-1]) for line in log.read_text().splitlines()} if log.exists() else set()


# What is made


def test_what_is_missing_is_made_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "log"
    store, context = Store(tmp_path / "store"), Context(sources={"log": str(log)})
    one, two = number(1), number(2)
    both = total(one, two)
    execute([both], store, context)
    assert value(store, both) == 3
    assert [line.split()[:2] for line in log.read_text().splitlines()] == [
        ["number", "1"],
        ["number", "2"],
        ["sum", "0"],
    ]

    log.unlink()
    execute([both], store, context)
    assert not log.exists(), "all is there"

    # A parent of a present step is not looked at: it may have been pruned or damaged.
    (store.folder(one.key) / "value.json").write_text("7")
    (store.folder(two.key) / "value.json").write_text("7")
    more = total(both, number(3))
    shown = Silent()
    execute([more], Store(store.root), context, display=shown)
    assert value(store, more) == 6
    assert [line.split()[:2] for line in log.read_text().splitlines()] == [["number", "3"], ["sum", "0"]]
    assert shown.notes == []


def test_the_record_says_what_was_made_how(tmp_path: Path) -> None:
    import numpy

    store, context = Store(tmp_path), Context(device="cpu", threads=3)
    step = Step("number", {"value": 4, "sleep": 0.05}, label="not identity", flops=2e6)
    child = total(step)
    execute([child], store, context)
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
    assert set(meta["environment"]) == set(environment(context))
    assert rates(store)["number/cpu/3"] == pytest.approx(2e6 / meta["seconds"])


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_damaged_parent_is_made_again_before_its_child(tmp_path: Path, jobs: int) -> None:
    store = Store(tmp_path)
    parent = total(number(1), number(2))
    execute([parent], store, Context())
    (store.folder(parent.key) / "value.json").write_text("9")
    child = total(parent, plus=10)
    shown = Silent()
    execute([child], Store(tmp_path), Context(), jobs=jobs, display=shown)
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
    execute([child], store, Context(), display=Saboteur())
    assert value(store, child) == 3


def test_a_parent_lost_again_and_again_ends_in_a_sentence(tmp_path: Path) -> None:
    class Saboteur(Silent):
        def finish(self, name: str, steps: int, seconds_left: float | None) -> None:
            if name == parent.key:
                store.folder(parent.key).rename(tmp_path / str(time.monotonic_ns()))

    store = Store(tmp_path / "store")
    parent = number(1)
    with pytest.raises(OutgrowError, match="number 1: its result was lost again each of 3 times"):
        execute([total(parent)], store, Context(), display=Saboteur())


def test_damaged_wanted_results_are_made_again(tmp_path: Path) -> None:
    execute([number(1)], Store(tmp_path), Context())
    os.truncate(Store(tmp_path).folder(number(1).key) / "bulk.bin", 10)
    execute([number(1)], Store(tmp_path), Context())
    assert value(Store(tmp_path), number(1)) == 1


@pytest.mark.parametrize("jobs", [1, 3])
def test_any_number_of_processes_makes_the_same(tmp_path: Path, jobs: int) -> None:
    execute(toys.slow_graph(), Store(tmp_path / "alone"), Context(), jobs=1)
    log = tmp_path / "log"
    execute(toys.slow_graph(), Store(tmp_path / "store"), Context(sources={"log": str(log)}), jobs=jobs)
    assert contents(tmp_path / "store") == contents(tmp_path / "alone")
    assert len(contents(tmp_path / "store")) == 27
    assert (pids(log) == {os.getpid()}) == (jobs == 1)
    assert len(pids(log)) == jobs
    assert disk.entries(tmp_path / "store" / "tmp") == []


def test_threads_are_held_to_and_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr("outgrow.execute._torch_is_loaded", lambda: True)
    before = torch.get_num_threads()
    for jobs, threads in [(1, before + 1), (2, before + 2)]:
        step = Step("threads", {"run": jobs})
        execute([step], Store(tmp_path), Context(threads=threads), jobs=jobs)
        assert value(Store(tmp_path), step) == threads
        assert torch.get_num_threads() == before


# Company


def test_heads_are_made_64_at_a_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    features = [number(1), number(2)]
    heads = [Step("many", {"value": n}, {"features": f}) for n in range(70) for f in features]
    execute(heads, Store(tmp_path / "store"), Context(sources={"log": str(log)}))
    sizes = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("many")]
    assert sizes == [64, 64, 6, 6]
    assert [value(Store(tmp_path / "store"), head) for head in heads[-2:]] == [79, 89]


def test_heads_wait_for_company_that_does_not_need_them(tmp_path: Path) -> None:
    log = tmp_path / "log"
    features = number(1)
    ready = [Step("many", {"value": n}, {"features": features}) for n in range(3)]
    soon = [Step("many", {"value": n}, {"features": features, "labels": total(number(5), plus=n)}) for n in range(3)]
    later = [Step("many", {"value": n}, {"features": features, "labels": ready[0]}) for n in range(2)]
    execute([*ready, *later, *soon], Store(tmp_path / "store"), Context(sources={"log": str(log)}))
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
        execute(heads, Store(tmp_path / "store"), Context(sources={"log": str(log)}))
    assert [Store(tmp_path / "store").has(head.key) for head in heads] == [True] * 3 + [False] + [True] * 2
    sizes = [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("many")]
    assert sizes == [6, 1, 1, 1, 1, 1, 1]


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
        execute([child, grandchild, fine], Store(tmp_path), Context(), jobs=jobs)
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
        execute([bad("usage")], Store(tmp_path), Context(), jobs=jobs)
    assert caught.value.problems == ("a.csv: no column x", "a.csv: no column y")
    with pytest.raises(OutgrowError) as other:
        execute([bad("usage"), bad("sentence")], Store(tmp_path), Context(), jobs=jobs)
    assert other.value.exit_code == 1


def test_after_a_failure_the_same_call_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    context = Context(sources={"log": str(log), "flag": str(tmp_path / "flag")})
    wanted = [total(bad("once", number(1)), number(2))]
    with pytest.raises(OutgrowError, match="not yet"):
        execute(wanted, Store(tmp_path / "store"), context)
    execute(wanted, Store(tmp_path / "store"), context)
    assert value(Store(tmp_path / "store"), wanted[0]) == 3
    assert [line.split()[:2] for line in log.read_text().splitlines()] == [
        ["number", "1"],
        ["number", "2"],
        ["sum", "0"],
    ]


def test_a_killed_worker_is_named_and_the_rest_is_made(tmp_path: Path) -> None:
    fine = [number(n) for n in range(4)]
    with pytest.raises(OutgrowError) as caught:
        execute([bad("killed"), *fine, bad("exits")], Store(tmp_path), Context(), jobs=2)
    killed, ended, summary = str(caught.value).splitlines()
    assert killed.startswith("bad killed: its worker process was killed (SIGKILL), most often because memory ran out; ")
    assert ended.startswith("bad exits: its worker process ended by itself (exit code 3)")
    assert summary.startswith("2 of 6 steps failed; what was made is kept")
    assert [value(Store(tmp_path), step) for step in fine] == [0, 1, 2, 3]
    assert disk.entries(tmp_path / "tmp") == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_ends_the_run_and_the_same_call_finishes_it(small_disk: Path, jobs: int) -> None:
    store = Store(small_disk / "store")
    (small_disk / "ballast").write_bytes(bytes(900_000))
    wanted = [total(Step("number", {"value": n}), plus=1) for n in range(30)]
    with pytest.raises(disk.FullDisk, match=r"the disk is full; nothing already computed is lost.*outgrow prune"):
        execute(wanted, store, Context(), jobs=jobs)
    kept = len(contents(store.root))
    assert 0 < kept < 60
    (small_disk / "ballast").unlink()
    execute(wanted, Store(store.root), Context(), jobs=jobs)
    assert [value(store, step) for step in wanted] == list(range(1, 31))


def test_no_process_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--jobs 0"):
        execute([number(1)], Store(tmp_path), Context(), jobs=0)


# Kills and races


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_moments_it_ends_with_the_same(tmp_path: Path, jobs: int) -> None:
    execute(toys.slow_graph(), Store(tmp_path / "undisturbed"), Context())
    rng, root = random.Random(jobs), tmp_path / "store"
    kills, longest = 0, 0.4
    while kills < 10:
        process = start(root, jobs)
        time.sleep(rng.uniform(0.0, longest))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        else:  # too late, it was done: begin anew, and strike sooner
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
    execute(toys.slow_graph(), Store(tmp_path / "undisturbed"), Context())
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
        process.communicate(timeout=10)
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
    left = tmp_path / "tmp" / f"{disk.this_host()}-{int(ended.stdout)}-abc"
    left.mkdir(parents=True)
    (tmp_path / "store.json").write_text('{"layout": 1}')
    execute([number(1)], store, Context(), display=Pruner())
    assert len(refused) == 1
    assert not left.exists()


# Order, for any graph


@st.composite
def graphs(draw: st.DrawFn) -> list[Step]:
    steps: list[Step] = []
    for n in range(draw(st.integers(1, 14))):
        kind = draw(st.sampled_from(["number", "many"]))
        chosen = draw(st.lists(st.sampled_from(steps), max_size=3, unique=True)) if steps else []
        roles = ["features" if draw(st.booleans()) else "a", "b", "c"]
        steps.append(Step(kind, {"value": n}, dict(zip(roles, chosen, strict=False))))
    return steps


@settings(max_examples=150, deadline=None)
@given(steps=graphs(), data=st.data())
def test_any_graph_runs_whole_parents_first_and_once(steps: list[Step], data: st.DataObject) -> None:
    lanes = data.draw(st.integers(1, 3))
    fails = set(data.draw(st.lists(st.sampled_from(steps), max_size=2, unique=True)))
    schedule = Schedule(missing(steps, lambda step: False))
    made: list[Step] = []
    lost: list[Step] = []
    running: list[list[Step]] = []
    while schedule.todo:
        while len(running) < lanes and (batch := schedule.next()):
            assert len({(step.kind, step.batch) for step in batch}) == 1
            assert len(batch) == 1 or KINDS[batch[0].kind].together > 1
            assert all(set(step.parents.values()) <= set(made) for step in batch)
            running.append(batch)
        assert running, "something can always start"
        batch = running.pop(data.draw(st.integers(0, len(running) - 1)))
        if fails & set(batch) and len(batch) > 1:
            schedule.separate(batch)
        elif fails & set(batch):
            lost += [*batch, *schedule.failed(batch)]
        else:
            schedule.done(batch)
            made += batch
    assert len(made) == len(set(made))
    cut_off = {step for step in steps if any(ancestor in fails for ancestor in walk([step]))}
    assert set(lost) == cut_off
    assert set(made) == set(steps) - cut_off


@settings(max_examples=100, deadline=None)
@given(steps=graphs(), data=st.data())
def test_what_is_missing(steps: list[Step], data: st.DataObject) -> None:
    present = set(data.draw(st.lists(st.sampled_from(steps), unique=True)))
    wanted = data.draw(st.lists(st.sampled_from(steps), min_size=1, unique=True))

    def needed(step: Step) -> set[Step]:
        return set() if step in present else {step}.union(*map(needed, step.parents.values()))

    found = missing(wanted, present.__contains__)
    assert set(found) == set().union(*map(needed, wanted))
    assert all(found.index(step) > found.index(p) for step in found for p in step.parents.values() if p in found)


# What is shown


def test_a_long_step_is_warned_of_before_it_starts(tmp_path: Path) -> None:
    store, shown = Store(tmp_path), Silent()
    steps = [Step("number", {"value": n}, label=f"n {n}", flops=flops) for n, flops in enumerate([1e9, 1.5e12])]
    store.write_json("rates.json", {"number/cpu/1": 1e9})
    execute(steps[1:], store, Context(), display=shown)
    assert shown.notes == ["n 1: expected to take about 25 min"]
    assert rates(store)["number/cpu/1"] > 1e10, "measured anew"

    again = Silent()
    store.write_json("rates.json", {"number/cpu/1": 1e9})
    execute([steps[0], Step("number", {"value": 3}, flops=1.5e12)], store, Context(), display=again)
    assert again.notes == [], "the rate of this run counts, not an old one"
    store.write_json("rates.json", ["nonsense"])
    assert rates(store) == {}


def test_other_threads_versions_or_device_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute([number(1), number(2), number(3)], Store(tmp_path), Context(threads=2))
    shown = Silent()
    execute([total(number(1), number(2)), number(3)], Store(tmp_path), Context(threads=1), display=shown)
    assert shown.notes == [
        "results made earlier are used again, with threads 2 (now 1); they may differ in their last digits"
    ]
    same = Silent()
    execute([number(1)], Store(tmp_path), Context(device="auto", threads=2), display=same)
    assert same.notes == []
    monkeypatch.setattr("outgrow.execute.version", lambda package: "9.9")
    other = Silent()
    execute([number(1), number(2)], Store(tmp_path), Context(device="cuda", threads=2), display=other)
    assert len(other.notes) == 1
    assert re.search(r"numpy [\d.]+ \(now 9\.9\), device cpu \(now cuda\)", other.notes[0])


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_at_most_every_second_and_for_long_steps() -> None:
    stream, clock = io.StringIO(), Clock()
    shown = Lines(stream, clock)
    shown.begin(5)
    for n in range(5):
        shown.start(str(n), f"step\x1b[31m {n}\n")
        clock.now += [0.4, 0.4, 0.8, 0.1, 0.2][n]
        shown.finish(str(n), 1, 120 if n < 4 else 0)
    assert stream.getvalue().splitlines() == [
        "[1/5] step [31m 0  (0.4 s, about 2 min left)",
        "[3/5] step [31m 2  (0.8 s, about 2 min left)",
        "[5/5] step [31m 4  (0.2 s)",
    ]
    stream.truncate(0)
    stream.seek(0)
    shown.begin(1)
    shown.start("x", "features")
    for _ in range(70):
        clock.now += 1
        shown.advance("x", int(clock.now - 101.9), 100)
    shown.note("a\nb")
    shown.note("a\nb")
    assert stream.getvalue().splitlines() == [
        "[0/1] features: 30 of 100, 1.0 a second",
        "[0/1] features: 60 of 100, 1.0 a second",
        "note: a b",
    ]


def test_a_closed_stream_ends_no_work() -> None:
    stream = io.StringIO()
    shown = Lines(stream)
    stream.close()
    shown.note("nobody hears")
    assert shown.notes == ["nobody hears"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_live_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    shown = display(stream)
    assert isinstance(shown, Live)
    with shown:
        execute([total(number(1, sleep=0.3), number(2), label="[b]sum[/b]")], Store(tmp_path), Context(), display=shown)
        shown.note("something [b]to know[/b]")
    text = stream.getvalue()
    assert "all steps" in text
    assert "number 1" in text
    assert "1/2" in text
    assert "something [b]to know[/b]" in text
    assert "\x1b[?25h" in text, "the cursor is back"


def test_no_terminal_gets_no_control_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    with display(stream) as shown:
        execute([total(number(1), number(2), label="the\x1bsum")], Store(tmp_path), Context(), jobs=2, display=shown)
    lines = stream.getvalue().splitlines()
    assert lines[-1].startswith("[3/3] the sum (")
    assert clean(stream.getvalue().replace("\n", "")) == stream.getvalue().replace("\n", "")
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(display(Terminal()), Lines)


def test_it_runs_in_a_thread_too(tmp_path: Path) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            execute([number(1)], Store(tmp_path), Context())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failed == []
    assert value(Store(tmp_path), number(1)) == 1
