"""Toy kinds of steps, for tests: a module of its own, so that worker processes can import it."""

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from outgrow.core import registry
from outgrow.core.errors import OutgrowError, UsageError
from outgrow.execution.machine import Machine
from outgrow.execution.step import Context, Job, Kind, Step
from outgrow.experiment.spec.schema import Experiment

ROWS = {name: f"toys:{name.upper()}" for name in ("number", "sum", "many", "bad", "threads", "device", "shared")}


def register() -> None:
    """Make the toy kinds known in this process for good."""
    registry.BUILT_IN["step kinds"].update(ROWS)


def machine(jobs: int = 1, threads: int = 1, device: str = "cpu", **more: Any) -> Machine:
    """What toys are made with: a device that needs no torch."""
    return Machine(jobs, threads, device, **more)


def log(context: Context, line: str) -> None:
    """Append to the file that the test reads: no part of a result."""
    if "log" in context.sources:
        with Path(context.sources["log"]).open("a") as file:
            file.write(line + "\n")


def value(folder: Path) -> int:
    return json.loads((folder / "value.json").read_text())


def write(job: Job, number: int) -> None:
    (job.folder / "value.json").write_text(json.dumps(number))
    (job.folder / "bulk.bin").write_bytes(number.to_bytes(8, "big", signed=True) * 500)


def number(jobs: Sequence[Job], context: Context) -> None:
    for job in jobs:
        log(context, f"number {job.params['value']} {os.getpid()}")
        context.progress(1, 2)
        time.sleep(job.params.get("sleep", 0))
        context.progress(2, 2)
        write(job, job.params["value"])


def total(jobs: Sequence[Job], context: Context) -> None:
    for job in jobs:
        log(context, f"sum {job.params.get('plus', 0)} {os.getpid()}")
        time.sleep(job.params.get("sleep", 0))
        write(job, sum(map(value, job.parents.values())) + job.params.get("plus", 0))


def many(jobs: Sequence[Job], context: Context) -> None:
    log(context, f"many {len(jobs)} {os.getpid()}")
    for job in jobs:
        if job.params.get("fail"):
            raise OutgrowError("this head has no data")
        if job.params.get("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(job.params.get("sleep", 0))
        write(job, sum(map(value, job.parents.values())) * 10 + job.params["value"])


def bad(jobs: Sequence[Job], context: Context) -> None:
    for job in jobs:
        (job.folder / "half.bin").write_bytes(b"half")
        match job.params["how"]:
            case "sentence":
                raise OutgrowError("the file is broken; repair it")
            case "usage":
                raise UsageError("a.csv: no column x", "a.csv: no column y")
            case "bug":
                raise ZeroDivisionError("division\nby zero")
            case "full":
                (job.folder / "big.bin").write_bytes(bytes(2**20))
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exits":
                print("last words", file=sys.stderr, flush=True)
                os._exit(3)
            case "once" if not Path(context.sources["flag"]).exists():
                Path(context.sources["flag"]).touch()
                raise OutgrowError("not yet")
            case "hungry":
                log(context, f"hungry 0 {os.getpid()}")
                if not Path(context.sources["flag"]).exists():
                    Path(context.sources["flag"]).touch()
                    time.sleep(0.2)
                    os.kill(os.getpid(), signal.SIGKILL)
                write(job, 7)
            case _:
                write(job, 1)


def threads(jobs: Sequence[Job], context: Context) -> None:
    import torch

    for job in jobs:
        write(job, torch.get_num_threads())


def device(jobs: Sequence[Job], context: Context) -> None:
    for job in jobs:
        time.sleep(job.params.get("sleep", 0))
        (job.folder / "value.json").write_text(json.dumps(context.device))


def shared(jobs: Sequence[Job], context: Context) -> None:
    """The sum of one plus its place over the processes that make it; one of them may fail, as `how` says."""
    import torch

    from outgrow.core import group
    from outgrow.models.checkpoints.device import with_memory_for

    for job in jobs:
        log(context, f"shared {group.rank()} {os.getpid()}")
        context.progress(1, 2)
        time.sleep(job.params.get("sleep", 0))
        (job.folder / "kept").mkdir()  # a second start finds an empty folder
        match job.params.get("how"), group.rank(), os.environ.get("TORCHELASTIC_RESTART_COUNT") == "1":
            case "sentence", 1, _:
                raise OutgrowError("the file is broken; repair it")
            case "usage", 1, _:
                raise UsageError("a.csv: no column x")
            case "killed once", 1, False:
                os.kill(os.getpid(), signal.SIGKILL)
            case "killed", 0, _:
                os.kill(os.getpid(), signal.SIGKILL)

        room = job.params.get("memory", 8)

        def work(budget: int, room: int = room) -> int:
            if group.rank() == 1 and budget > room:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return budget

        budget = with_memory_for(work, 8, "toy", "give fewer toys")
        mine = torch.tensor([group.rank() + 1.0])
        write(job, int(group.summed(mine)) + 100 * group.size() + 1000 * budget + 100_000 * torch.get_num_threads())
        context.progress(2, 2)


def same_features(step: Step) -> str | None:
    return step.parents["features"].key if "features" in step.parents else None


NUMBER = Kind(1, number)
SUM = Kind(1, total)
MANY = Kind(1, many, together=64, company=same_features)
BAD = Kind(1, bad)
THREADS = Kind(1, threads)
DEVICE = Kind(1, device)
SHARED = Kind(1, shared)


def experiment(folder: Path, **changes: Any) -> Experiment:
    """A small one of static embeddings; its data file is written into the folder."""
    rows = "".join(f"the {n} was {word},{word}\n" for n in range(60) for word in ("good", "bad"))
    (folder / "reviews.csv").write_text(f"text,label\n{rows}")
    whole = {
        "name": "x",
        "tasks": [{"file": str(folder / "reviews.csv"), "text": "text", "label": "label"}],
        "weak": [{"static": "wordllama", "rows": 4}],
        "strong": ["static:wordllama"],
        "methods": ["naive"],
        "seeds": [0],
        "split": {"weak_train": 20, "transfer": 40, "test": 40},
    }
    return Experiment.model_validate({**whole, **changes})


def slow_graph() -> list[Step]:
    """27 steps that take about 10 ms each: numbers, sums of neighbours, and two layers of many."""
    numbers = [Step("number", {"value": n, "sleep": 0.01}, label=f"number {n}", flops=1e6) for n in range(8)]
    sums = [Step("sum", {"sleep": 0.01}, {"a": a, "b": b}) for a, b in pairwise(numbers)]
    heads = [Step("many", {"value": n, "sleep": 0.005}, {"features": sums[0], "labels": s}) for n, s in enumerate(sums)]
    return [*heads, *(Step("sum", {"plus": 5}, {"head": head, "first": heads[0]}) for head in heads[:5])]
