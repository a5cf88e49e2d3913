"""The contract of executors: anybody's, by name or by file; what an order carries; the environment of where it was made."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import toys
from places import SRC, SUPPORT
from toy_steps import contents, number, total, value

from outgrow import run
from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.registry import BUILT_IN
from outgrow.execution.execute import execute
from outgrow.execution.executors.carry_out import Pace, carry_out
from outgrow.execution.executors.executor import Failure, Outcome, Reports, WorkOrder
from outgrow.execution.machine import Machine
from outgrow.execution.step import Step
from outgrow.execution.store import Store

pytestmark = pytest.mark.usefixtures("toy_kinds")


@pytest.mark.parametrize(
    ("allowed", "each"),
    [
        (None, (8, 2, 3)),
        ("3", (3, 2, 3)),
        ("1", (1, 1, 3)),
        ("4,2", (4, 2, 3)),
        ("64", (8, 2, 3)),
        ("0", (8, 2, 3)),
        ("²", (8, 2, 3)),
    ],
)
def test_threads_are_the_cores_shared_among_jobs_or_fewer(
    monkeypatch: pytest.MonkeyPatch, allowed: str | None, each: tuple[int, int, int]
) -> None:
    monkeypatch.setattr("outgrow.execution.machine.cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if allowed is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", allowed)
    machines = (Machine(), Machine(jobs=4), Machine(jobs=4, threads=3))
    assert tuple(machine.threads_each for machine in machines) == each


class LastFirst:
    """A toy: takes three orders, each by way of JSON, and carries out the last one first, at an address of its own."""

    addresses: Sequence[str | None] = []

    def __init__(self, store: Store, machine: Machine, reports: Reports) -> None:
        self.store, self.reports, self.orders = store, reports, list[WorkOrder]()
        LastFirst.addresses = [*LastFirst.addresses, machine.address]

    def free(self) -> bool:
        return len(self.orders) < 3

    def start(self, order: WorkOrder) -> None:
        self.orders.append(WorkOrder.from_json(json.loads(json.dumps(order.to_json()))))

    def wait(self) -> list[Outcome]:
        order = self.orders.pop()
        return [carry_out(order, self.store, lambda done, total: self.reports.progress(order.name, done, total))]

    def close(self, *, now: bool) -> None:
        assert now or not self.orders


class Elsewhere(LastFirst):
    """A toy: each order in a process of its own, on a machine whose packages are all of version 9.9."""

    def wait(self) -> list[Outcome]:
        code = """if True:
            import json, sys
            from pathlib import Path
            sys.path += sys.argv[2:]
            from outgrow.execution import machine
            from outgrow.execution.executors import carry_out, executor
            from outgrow.execution.store import Store
            machine.version = lambda package: "9.9"
            order = executor.WorkOrder.from_json(json.load(sys.stdin))
            print(json.dumps(carry_out.carry_out(order, Store(Path(sys.argv[1])), lambda done, total: None).to_json()))
        """
        order = self.orders.pop()
        there = [sys.executable, "-c", code, str(self.store.root), str(SRC), str(SUPPORT)]
        done = subprocess.run(there, input=json.dumps(order.to_json()), text=True, capture_output=True, check=True)
        return [Outcome.from_json(order, json.loads(done.stdout))]


def test_a_toy_makes_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILT_IN["executors"], "last_first", f"{__name__}:LastFirst")
    monkeypatch.setattr(LastFirst, "addresses", [])
    execute(toys.slow_graph(), Store(tmp_path / "local"), toys.machine())
    there = toys.machine(executor="last_first", address="over there")
    execute(toys.slow_graph(), Store(tmp_path / "toy"), there)
    assert contents(tmp_path / "toy") == contents(tmp_path / "local")
    assert LastFirst.addresses == ["over there"]


class Losing(LastFirst):
    """A toy: each order's node goes away."""

    times = 0

    def wait(self) -> list[Outcome]:
        Losing.times += 1
        return [Outcome(self.orders.pop(), 0.0, Failure(("its node went away",), lost=True))]


def test_a_step_whose_node_is_lost_five_times_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILT_IN["executors"], "losing", f"{__name__}:Losing")
    monkeypatch.setattr(Losing, "times", 0)
    with pytest.raises(OutgrowError, match="its node went away"):
        execute([number(1)], Store(tmp_path), toys.machine(executor="losing"))
    assert Losing.times == 5


def test_an_executor_in_a_file_makes_an_experiment(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from outgrow.execution.executors.in_process import InProcess\n"
        "class Mine(InProcess):\n"
        "    def start(self, order):\n"
        f"        with open({str(tmp_path / 'orders')!r}, 'a') as file:\n"
        "            print(order.kind['name'], file=file)\n"
        "        super().start(order)\n"
    )
    asked = toys.experiment(tmp_path)
    here = Machine(threads=1, device="cpu")
    there = Machine(threads=1, device="cpu", executor=f"{tmp_path / 'mine.py'}:Mine")
    made = [
        run(asked, store=tmp_path / f"store{n}", out=tmp_path / str(n), machine=machine).to_json()
        for n, machine in enumerate((here, there))
    ]
    assert made[0] == made[1]
    assert "head" in (tmp_path / "orders").read_text()


def test_a_result_records_where_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILT_IN["executors"], "elsewhere", f"{__name__}:Elsewhere")
    store, there = Store(tmp_path / "store"), total(number(1))
    execute([there], store, toys.machine(executor="elsewhere", threads=2))
    here = total(there, plus=1)
    execute([here], store, toys.machine(threads=2))
    assert value(store, here) == 2
    versions = [store.meta(step.key)["environment"]["numpy"] for step in (number(1), there, here)]
    assert versions[:2] == ["9.9", "9.9"]
    assert versions[2] != "9.9"


def test_orders_are_json_and_carry_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    class Listening(LastFirst):
        def start(self, order: WorkOrder) -> None:
            sent.append(json.dumps(order.to_json()))
            super().start(order)

    monkeypatch.setattr(f"{__name__}.LastFirst", Listening)
    monkeypatch.setitem(BUILT_IN["executors"], "last_first", f"{__name__}:LastFirst")
    execute([total(number(1), number(2))], Store(tmp_path), toys.machine(executor="last_first"))
    assert len(sent) == 3
    assert all(str(tmp_path) not in order for order in sent)


def test_what_is_no_executor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='unknown executor "proceses"; did you mean "processes"'):
        execute([number(1)], Store(tmp_path), toys.machine(executor="proceses"))
    with pytest.raises(UsageError, match="choose --executor processes"):
        execute([number(1)], Store(tmp_path), toys.machine(executor="local", jobs=2))
    with pytest.raises(UsageError, match="--device cuda:0,cpu: is not a device"):
        Machine(device="cuda:0,cpu")


def test_jobs_take_the_devices_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "devices", lambda self: ("cuda:0", "cuda:1"))
    steps = [Step("device", {"value": n, "sleep": 0.3}) for n in range(3)]
    execute(steps, Store(tmp_path), toys.machine(jobs=3, device="cuda:0,cuda:1"))
    devices = [json.loads((Store(tmp_path).folder(step.key) / "value.json").read_text()) for step in steps]
    assert devices == ["cuda:0", "cuda:1", "cuda:0"]
    recorded = {Store(tmp_path).meta(step.key)["environment"]["device"] for step in steps}
    assert recorded == {"cuda"}, "which of them it was changes no bit"


@pytest.mark.parametrize(
    ("reports", "seconds"),
    [
        ([], 50),  # no progress: all of it
        ([(20, 10, 100), (35, 60, 100)], (50 - 20) / 0.9),  # 20 seconds for a tenth, the loading in them
        ([(20, 0, 4), (30, 1, 4), (40, 2, 4)], (50 - 30) / 0.75),  # nothing is done at first
        ([(20, 80, 100)], (50 - 20) / 0.2),  # a training that goes on where it was killed
        ([(40, 5, 5)], 50),  # one batch
    ],
)
def test_the_start_of_a_step_is_not_in_its_pace(
    monkeypatch: pytest.MonkeyPatch, reports: Sequence[tuple[float, int, int]], seconds: float
) -> None:
    now = 0.0
    monkeypatch.setattr("outgrow.execution.executors.executor.time.perf_counter", lambda: now)
    seen: list[tuple[int, int]] = []
    pace = Pace(0.0, lambda done, of: seen.append((done, of)))
    for now, done, of in reports:  # noqa: B007
        pace(done, of)
    assert pace.seconds(50.0) == pytest.approx(seconds)
    assert seen == [(done, of) for _, done, of in reports]
