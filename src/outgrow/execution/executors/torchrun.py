"""An order that several processes carry out together: torchrun starts them on this machine and watches over them.

Each makes the same steps with a part of the model; what the first one writes is the result. They read a pipe of the process
that asked for them, and end when it does, however that was. Where one of them ends without giving a reason, as where memory ran
out, torchrun starts all of them once more.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from outgrow.core.files import disk
from outgrow.execution.executors.executor import THREAD_VARIABLES, Failed, Failure, RemoteError, WorkOrder
from outgrow.execution.step import Job

RANK = "outgrow.execution.executors.rank"
MARK = b"outgrow:"  # begins a line of the processes' standard output that is a message, in JSON


def make_together(order: WorkOrder, jobs: Sequence[Job], progress: Callable[[int, int], None]) -> None:
    """Make the steps of an order by `order.processes` processes, into the jobs' folders. Raises Failed with their reason."""
    _free_memory()
    scratch = Path(f"{jobs[0].folder}.together")  # a kill may leave it: it is swept as the job's own folder is
    scratch.mkdir()
    message = scratch / "order.json"
    message.write_text(json.dumps({"order": order.to_json(), "jobs": [asdict(job) for job in jobs]}, default=str))
    with (scratch / "log").open("w+b") as log:
        process = subprocess.Popen(
            _command(order, message),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(order),
            start_new_session=True,  # Ctrl-C is for the process that started them
        )
        threading.Thread(target=_end_with, args=(process,), daemon=True).start()
        try:
            reason = _listen(process, order, log, progress)
        finally:
            process.kill()
            process.wait()
            _let_go(process)
            if process.stdout is not None:
                process.stdout.close()
            for folder in [scratch, *(own(job.folder, place) for job in jobs for place in range(1, order.processes))]:
                disk.remove(folder)
    if reason is not None:
        raise Failed(reason)


def own(path: Path | str, place: int) -> Path:
    """What a process has in place of a file or folder of the job: the first that one, another its own beside it."""
    return Path(f"{path}.{place}") if place else Path(path)


def _command(order: WorkOrder, message: Path) -> list[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    group = [
        "--nproc-per-node",
        str(order.processes),
        "--max-restarts",
        "1",
        "--log-dir",
        str(message.with_name("logs")),
    ]
    return [*launcher, *group, "-m", RANK, str(message)]


def _environment(order: WorkOrder) -> dict[str, str]:
    """That of this process, with its path, the order's threads, and the GPUs that the order names as the only ones."""
    options = {name: value for name, value in os.environ.items() if not name.startswith("PET_")}  # torchrun's own
    path = os.pathsep.join(place for place in sys.path if place)
    threads = dict.fromkeys(THREAD_VARIABLES, str(order.threads))
    variables = {**options, **threads, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    if order.device.startswith("cuda"):
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        places = [int(device.partition(":")[2]) for device in order.device.split(",")]
        variables["CUDA_VISIBLE_DEVICES"] = ",".join(seen.split(",")[place] if seen else str(place) for place in places)
    return variables


def _listen(
    process: subprocess.Popen[bytes], order: WorkOrder, log: IO[bytes], progress: Callable[[int, int], None]
) -> Failure | None:
    """Pass progress on until the processes have ended; why they could not go on, if they could not."""
    assert process.stdout is not None, "started without a pipe"
    began = False
    for line in process.stdout:
        if not line.startswith(MARK):
            log.write(line)
            continue
        match json.loads(line.removeprefix(MARK)):
            case "began":
                began = True
            case {"progress": [done, total]}:
                progress(done, total)
            case {"failure": file}:
                values: Any = json.loads(Path(file).read_text(encoding="utf-8"))
                return Failure.from_json(values)
    code = process.wait()
    return None if code == 0 else _ended(order.processes, code, began, log)


def _ended(processes: int, code: int, began: bool, log: IO[bytes]) -> Failure:
    log.flush()
    log.seek(0)
    trace = log.read()[-8000:].decode(errors="replace")
    if code < 0:
        sentence = f"torchrun, which watches over its {processes} processes, was ended by {signal.Signals(-code).name}"
    elif not began:
        last = trace.strip().rpartition("\n")[2][:300]
        sentence = f"torchrun could not start its {processes} processes (exit code {code}): {last}"
    else:
        sentence = (
            f"one of its {processes} processes ended without giving a reason, most often because memory ran out, and again "
            f"when all were started once more (torchrun: exit code {code})"
        )
    return Failure((sentence,), trace=trace, cause=RemoteError(trace))


def _end_with(process: subprocess.Popen[bytes]) -> None:
    """Where torchrun itself is killed, its processes would wait for one another without an end."""
    process.wait()
    _let_go(process)


def _let_go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None, "started without a pipe"
    with contextlib.suppress(OSError):
        process.stdin.close()


def _free_memory() -> None:
    """Give back what this process keeps of the GPUs for later."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
