"""One of the processes that carry out an order together, as torchrun starts it: `python -m … order.json`."""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from outgrow.core.files import disk
from outgrow.execution.executors.carry_out import failure, make
from outgrow.execution.executors.executor import WorkOrder, now_and_then
from outgrow.execution.executors.torchrun import MARK, own
from outgrow.execution.step import Job

PATIENCE = timedelta(hours=1)  # in which the others are waited for: one may be loading a large model
# By these, libraries would distribute by themselves.
LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


def main(file: str) -> None:
    """Do this process's part of the order in `file`, and end when the process that gave it does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    message = json.loads(Path(file).read_text(encoding="utf-8"))
    order = WorkOrder.from_json(message["order"])
    place = int(os.environ["RANK"])
    jobs = [_job(values, place) for values in message["jobs"]]
    progress = now_and_then(lambda done, total: _say({"progress": [int(done), int(total)]}))
    import torch

    try:
        order = replace(order, device=_join(order.device))
        make(order, jobs, progress if place == 0 else lambda done, total: None)
    except torch.OutOfMemoryError:
        raise  # and torchrun starts all once more, with less to hold at once (`with_memory_for`)
    except Exception as error:
        if _of_another(error):
            raise
        reason = Path(file).with_name(f"failure{place}.json")
        reason.write_text(json.dumps(failure(error).to_json()), encoding="utf-8")
        _say({"failure": str(reason)})
        threading.Event().wait()  # the others may wait for this one, so all are ended from outside
    atexit._run_exitfuncs()
    os._exit(
        0
    )  # now and then Python's own end aborts on a thread of torch.distributed, and all would be started once more


def _join(device: str) -> str:
    """Join the others; this process's device. The variables of the launcher go: `torch.distributed` knows them from here on."""
    import torch

    distributed: Any = torch.distributed
    place, processes = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    here = torch.device("cpu") if device == "cpu" else torch.device("cuda", place)
    if here.type == "cuda":
        torch.cuda.set_device(here)
    meeting = distributed.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    distributed.init_process_group(
        "gloo" if here.type == "cpu" else "cpu:gloo,cuda:nccl",
        # torchrun keeps one store for all starts, where a second one would find the addresses of processes that are gone.
        store=distributed.PrefixStore(f"start {os.environ['TORCHELASTIC_RESTART_COUNT']}", meeting),
        rank=place,
        world_size=processes,
        timeout=PATIENCE,
        device_id=None if here.type == "cpu" else here,
    )
    for name in LAUNCHED:
        os.environ.pop(name, None)
    return str(here)


def _of_another(error: Exception) -> bool:
    """Whether an error says no more than that another of the processes has ended."""
    from torch import distributed

    return isinstance(error, distributed.DistError) or (isinstance(error, RuntimeError) and "/gloo/" in str(error))


def _job(values: Mapping[str, Any], place: int) -> Job:
    """A job as the order's process described it; what the first process writes is the result, and the others' goes."""
    folder, state = own(values["folder"], place), values["halfway"]
    folder.mkdir(exist_ok=True)
    for entry in disk.entries(folder):  # of processes that were started before and ended
        disk.remove(entry)
    parents = {role: Path(parent) for role, parent in values["parents"].items()}
    return Job(folder, values["params"], parents, None if state is None else own(state, place))


def _say(value: Any) -> None:
    os.write(1, b"\n" + MARK + json.dumps(value).encode() + b"\n")  # in one piece: the others write here too


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
