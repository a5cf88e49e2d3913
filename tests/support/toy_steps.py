"""Toy steps, and what executing them leaves."""

import os
import subprocess
import time
from pathlib import Path

import toys
from children import python
from places import SRC, SUPPORT

from outgrow.core.files import disk
from outgrow.execution.step import Step
from outgrow.execution.store import Store


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
        from outgrow.execution.execute import execute
        from outgrow.execution.step import Step
        from outgrow.execution.store import Store
        toys.register()
        wanted = toys.slow_graph()
        if float(sys.argv[3]):
            wanted = [Step("number", {"value": n, "sleep": float(sys.argv[3])}) for n in range(8)]
        print("ready", flush=True)
        log = {"log": sys.argv[1] + ".log"}
        execute(wanted, Store(Path(sys.argv[1])), toys.machine(jobs=int(sys.argv[2])), log)
    """
    path = os.pathsep.join([str(SRC), str(SUPPORT)])
    process = python(code, root, jobs, sleep, environment={"PYTHONPATH": path})
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
