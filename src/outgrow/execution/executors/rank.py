"""One of the processes that carry out an order together, as torchrun starts it: `python -m … order.json`."""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from outgrow.core import garbage, group
from outgrow.core.files import disk
from outgrow.execution.executors.carry_out import failure, make
from outgrow.execution.executors.executor import WorkOrder, now_and_then
from outgrow.execution.executors.torchrun import MARK, own
from outgrow.execution.step import Job


def main(file: str) -> None:
    """Do this process's part of the order in `file`, and end when the process that gave it does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    garbage.search_rarely()
    message = json.loads(Path(file).read_text(encoding="utf-8"))
    order = WorkOrder.from_json(message["order"])
    place, short = int(os.environ["RANK"]), Path(file).with_name("memory")
    _say("began")
    jobs = [_job(values, place) for values in message["jobs"]]
    progress = now_and_then(lambda done, total: _say({"progress": [int(done), int(total)]}))
    import torch

    code = 0
    try:
        device = group.join(order.device.partition(":")[0], short=short.exists())
        make(replace(order, device=device), jobs, progress if place == 0 else lambda done, total: None)
    except Exception as error:
        traceback.print_exception(error)
        code = 1  # and torchrun starts all of them once more
        if isinstance(error, torch.OutOfMemoryError):
            short.touch()  # with less to hold at once
        elif not group.of_another(error):
            reason = Path(file).with_name(f"failure{place}.json")
            reason.write_text(json.dumps(failure(error).to_json()), encoding="utf-8")
            _say({"failure": str(reason)})
            threading.Event().wait()  # the others may wait for this one, so all are ended from outside
    atexit._run_exitfuncs()
    sys.stderr.flush()
    # Python's own end may wait for the others, and now and then it aborts on a thread of `torch.distributed`.
    os._exit(code)


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
