"""The order of work on any graph, what is missing, and what is shown of it."""

import io
import re
import threading
from pathlib import Path

import pytest
import toys
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_steps import number, total, value

from outgrow.execution.execute import execute
from outgrow.execution.progress import Lines, Live, Silent, clean, display
from outgrow.execution.schedule import Schedule, missing
from outgrow.execution.step import Step, kind_of, walk
from outgrow.execution.store import Store
from outgrow.execution.throughput import Rates, rate_name

pytestmark = pytest.mark.usefixtures("toy_kinds")


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
            assert len(batch) == 1 or kind_of(batch[0].kind).together > 1
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
    measured(store, steps[0], rate=1e9)
    execute(steps[1:], store, toys.machine(), display=shown)
    assert shown.notes == ["n 1: expected to take about 25 min"]
    assert (Rates(store).seconds([steps[0]], "cpu", 1) or 1) < 0.1, "measured again"

    again = Silent()
    measured(store, steps[0], rate=1e9)
    execute([steps[0], Step("number", {"value": 3}, flops=1.5e12)], store, toys.machine(), display=again)
    assert again.notes == [], "the rate of this run counts, not an old one"
    store.write_json("rates.json", ["nonsense"])
    assert Rates(store).seconds([steps[0]], "cpu", 1) is None


def measured(store: Store, step: Step, rate: float) -> None:
    store.write_json("rates.json", {"rates": {rate_name(step, "cpu", 1): rate}, "auto": {}})


def test_what_has_never_run_is_not_guessed_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outgrow.execution.execute.matrix_product", lambda: 1e9)
    shown = Silent()
    execute([Step("number", {"value": 1}, label="n 1", flops=1.5e12)], Store(tmp_path), toys.machine(), display=shown)
    assert shown.notes == [
        "n 1: how long this takes here is not known yet; at the rate of a matrix product it takes 25 min"
    ]


def test_other_threads_versions_or_device_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute([number(1), number(2), number(3)], Store(tmp_path), toys.machine(threads=2))
    shown = Silent()
    execute([total(number(1), number(2)), number(3)], Store(tmp_path), toys.machine(), display=shown)
    assert shown.notes == [
        "results made earlier are used again, with threads 2 (now 1); they may differ in their last digits"
    ]
    same = Silent()
    execute([number(1)], Store(tmp_path), toys.machine(threads=2, device="auto"), display=same)
    assert same.notes == []
    monkeypatch.setattr("outgrow.execution.machine._version", lambda package: "9.9")
    other = Silent()
    execute([number(1), number(2)], Store(tmp_path), toys.machine(threads=2, device="cuda"), display=other)
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
        "[1/5] step\\x1b[31m 0  (0.4 s, about 2 min left)",
        "[3/5] step\\x1b[31m 2  (0.8 s, about 2 min left)",
        "[5/5] step\\x1b[31m 4  (0.2 s)",
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
        execute(
            [total(number(1, sleep=0.3), number(2), label="[b]sum[/b]")], Store(tmp_path), toys.machine(), display=shown
        )
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
        execute([total(number(1), number(2), label="the\x1bsum")], Store(tmp_path), toys.machine(jobs=2), display=shown)
    lines = stream.getvalue().splitlines()
    assert lines[-1].startswith("[3/3] the\\x1bsum (")
    assert clean(stream.getvalue().replace("\n", "")) == stream.getvalue().replace("\n", "")
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(display(Terminal()), Lines)


def test_it_runs_in_a_thread_too(tmp_path: Path) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            execute([number(1)], Store(tmp_path), toys.machine())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failed == []
    assert value(Store(tmp_path), number(1)) == 1
