"""Steps as tasks of a Ray cluster of two nodes on this machine: the same results, also when a node is killed in the middle."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
import toys
from places import SRC, SUPPORT
from toy_steps import bad, contents, number, pids, total, value, wait_for

from outgrow import Machine, run
from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.core.identity import digest_file
from outgrow.core.registry import find
from outgrow.execution.execute import execute
from outgrow.execution.executors.executor import WorkItem, WorkOrder
from outgrow.execution.executors.ray import _make, _share
from outgrow.execution.progress import Silent
from outgrow.execution.step import Step
from outgrow.execution.store import Store

pytestmark = [
    pytest.mark.usefixtures("toy_kinds"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one core each; the second may be killed: `two_nodes` puts another in its place."""
    before = dict(os.environ)
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", PYTHONPATH=os.pathsep.join([str(SRC), str(SUPPORT)]))
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    yield made
    ray.shutdown()
    made.shutdown()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def two_nodes(cluster: Any) -> Any:
    while len(cluster.worker_nodes) < 1:
        cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    return cluster


def on(cluster: Any, **more: Any) -> Machine:
    return Machine(None, 1, "cpu", executor="ray", address=cluster.address, **more)


@pytest.mark.slow
def test_two_nodes_make_what_one_process_makes(tmp_path: Path, two_nodes: Any) -> None:
    execute(toys.slow_graph(), Store(tmp_path / "local"), toys.machine())
    log = tmp_path / "log"
    execute(toys.slow_graph(), Store(tmp_path / "ray"), on(two_nodes), {"log": str(log)})
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert os.getpid() not in pids(log)
    assert len(pids(log)) >= 2
    assert disk.entries(tmp_path / "ray" / "tmp") == []


@pytest.mark.slow
def test_a_killed_node_takes_nothing_along(tmp_path: Path, two_nodes: Any) -> None:
    execute(toys.slow_graph(), Store(tmp_path / "local"), toys.machine())
    log, shown = tmp_path / "log", Silent()
    slow = [number(n, sleep=1.5) for n in range(100, 108)]
    there = [*toys.slow_graph(), total(*slow)]

    def at_slow_ones() -> set[str]:
        lines = log.read_text().splitlines() if log.exists() else []
        return {line.split()[-1] for line in lines if line.startswith("number 10")}

    def kill() -> None:
        wait_for(lambda: len(at_slow_ones()) >= 2, 120)
        two_nodes.remove_node(two_nodes.worker_nodes.copy().pop(), allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    execute(there, Store(tmp_path / "ray"), on(two_nodes), {"log": str(log)}, shown)
    killer.join()
    assert value(Store(tmp_path / "ray"), there[-1]) == sum(range(100, 108))
    made = contents(tmp_path / "ray")
    local = contents(tmp_path / "local")
    assert {key: made[key] for key in local} == local
    assert any("its node was lost; it is made again" in note for note in shown.notes)
    assert not any("tried once more, alone" in note for note in shown.notes), "a lost node is not the step's fault"


@pytest.mark.slow
def test_failures_and_deaths_are_named_and_the_rest_is_made(tmp_path: Path, two_nodes: Any) -> None:
    with pytest.raises(OutgrowError) as caught:
        execute([bad("sentence"), bad("killed"), number(1)], Store(tmp_path), on(two_nodes))
    assert "bad sentence: the file is broken; repair it" in str(caught.value)
    assert "bad killed: its process died, and again when it ran alone" in str(caught.value)
    assert value(Store(tmp_path), number(1)) == 1
    with pytest.raises(UsageError, match="choose auto, cpu or cuda with --executor ray"):
        execute([number(2)], Store(tmp_path), toys.machine(device="cuda:1", executor="ray"))


@pytest.mark.slow
def test_an_experiment_gives_the_same_results_to_the_byte(tmp_path: Path, two_nodes: Any) -> None:
    experiment = toys.experiment(tmp_path, seeds=[0, 1], controls=True)
    for name, machine in (("local", Machine(1, 1, "cpu")), ("ray", on(two_nodes))):
        run(experiment, store=tmp_path / f"{name}.store", out=tmp_path / name, machine=machine)
    for file in ("results.json", "predictions.parquet", "examples.parquet"):
        assert (tmp_path / "ray" / file).read_bytes() == (tmp_path / "local" / file).read_bytes()


@pytest.mark.slow
def test_a_task_makes_a_step_by_two_processes(tmp_path: Path, two_nodes: Any) -> None:
    steps = [Step("shared", {}, processes=processes) for processes in (1, 2)]
    execute(steps[:1], Store(tmp_path / "one"), on(two_nodes))
    execute(steps[1:], Store(tmp_path / "two"), on(two_nodes))
    assert [value(Store(tmp_path / name), steps[0]) for name in ("one", "two")] == [108_101, 108_203]


@pytest.mark.slow
@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="the node's GPUs are made up")
def test_what_loads_a_model_gets_a_gpu_a_process(
    tmp_path: Path, two_nodes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")  # where there is none to see, a node has none to offer
    node = two_nodes.add_node(**{**NODE, "num_gpus": 2})
    two_nodes.wait_for_nodes()
    try:
        there = Machine(None, 1, "auto", executor="ray", address=two_nodes.address)
        steps = [
            Step("device", {"value": 1}),
            Step("device", {"value": 2}, flops=1.0),
            Step("device", {"value": 3}, memory=1.0),
        ]
        execute(steps, Store(tmp_path), there)
        assert [value(Store(tmp_path), step) for step in steps] == ["cpu", "cuda", "cuda"]
        sentence = "NVIDIA" if torch.version.cuda else "_cuda_"  # two processes ask for GPUs that are not there
        with pytest.raises(OutgrowError, match=sentence):
            execute([Step("shared", {}, flops=1.0, processes=2)], Store(tmp_path), there)
    finally:
        two_nodes.remove_node(node)


# What a node does with an order, without a cluster


def order_of(kind: Mapping[str, Any], sources: Mapping[str, Any], *parents: str) -> WorkOrder:
    roles = {f"p{n}": parent for n, parent in enumerate(parents)}
    return WorkOrder(kind, (WorkItem("ab" * 32, {"value": 5}, roles, {"kind": "x"}),), "cpu", 1, sources)


def test_a_plugin_is_found_by_its_content_where_its_file_is_not(tmp_path: Path) -> None:
    file, store = tmp_path / "mine" / "kinds.py", Store(tmp_path / "store")
    file.parent.mkdir()
    code = (
        "import json\n"
        "from outgrow.execution.step import Kind\n"
        "def make(jobs, context):\n"
        "    for job in jobs:\n"
        "        (job.folder / 'value.json').write_text(json.dumps(__file__))\n"
        "MINE = Kind(1, make)\n"
    )
    file.write_text(code)
    order = order_of(asdict(find("step kinds", f"{file}:MINE")), {digest_file(file): str(file)})
    with store.lock():
        _share(order, store)
    file.write_text("raise SystemExit\n")  # on the node, something else has this path
    answer = json.loads(_make(str(store.root), json.dumps({"outgrow": version("outgrow"), "order": order.to_json()})))
    assert answer["outcome"]["failure"] is None
    assert str(store.root / "sources") in (store.folder("ab" * 32) / "value.json").read_text()


def test_a_node_that_cannot_do_the_work_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, kind = Store(tmp_path / "store"), asdict(find("step kinds", "number"))
    message = {"outgrow": version("outgrow"), "order": order_of(kind, {}).to_json()}
    failure = json.loads(_make(str(store.root), json.dumps(message)))["outcome"]["failure"]
    assert failure["usage"]
    assert "does not see the store at" in failure["sentences"][0]
    with store.lock():
        other = json.dumps({**message, "outgrow": "0.0.1"})
        failure = json.loads(_make(str(store.root), other))["outcome"]["failure"]
        assert "and this run 0.0.1: install the same version on all nodes" in failure["sentences"][0]
        monkeypatch.setattr("outgrow.execution.executors.ray.PATIENCE", 0.2)
        orphan = json.dumps({**message, "order": order_of(kind, {}, "cd" * 32).to_json()})
        failure = json.loads(_make(str(store.root), orphan))["outcome"]["failure"]
        assert "was made on another node and is not seen here; is it shared?" in failure["sentences"][0]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999", "nowhere.invalid:6379"])
def test_an_address_where_nothing_answers_is_named(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match=f"--address {address}: no Ray cluster can be used there: "):
        execute([number(1)], Store(tmp_path), Machine(None, 1, "cpu", executor="ray", address=address))
