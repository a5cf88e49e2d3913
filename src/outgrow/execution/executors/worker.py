"""A worker process: carries out orders from its connection, and ends when the other side does, however that ended."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from outgrow.core import garbage
from outgrow.execution.executors.carry_out import carry_out
from outgrow.execution.executors.executor import WorkOrder, now_and_then
from outgrow.execution.executors.processes import decode, encode
from outgrow.execution.store import Store


def main(descriptor: str, root: str) -> None:
    """Serve the connection whose file descriptor is given, on the store at `root`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what it means
    with contextlib.suppress(OSError):  # where memory runs out, one worker goes, and not the run
        Path("/proc/self/oom_score_adj").write_text("500")
    faulthandler.enable()
    garbage.search_rarely()
    connection = Connection(int(descriptor))
    say = _speaker(connection)
    progress = now_and_then(lambda done, total: say({"progress": [int(done), int(total)]}))
    store = Store(Path(root), lambda sentence: say({"warning": sentence}))
    orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, orders), daemon=True).start()
    while True:
        message = decode(orders.get())
        order = WorkOrder.from_json(message["order"])
        if message["torch"]:
            import torch

            torch.set_num_threads(order.threads)
        say({"outcome": carry_out(order, store, progress).to_json()})


def _listen(connection: Connection, orders: queue.SimpleQueue[bytes]) -> None:
    # The kernel closes a dead process's end: reading notices that even when the parent was killed in mid-word, and
    # a worker deep in its work must not outlive it. What it was writing lies in its temporary folder, to be swept.
    try:
        while True:
            orders.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(1)


def _speaker(connection: Connection) -> Callable[[Any], None]:
    lock = threading.Lock()  # results are put in place by several threads, and each may have a warning

    def say(value: Any) -> None:
        with lock:
            connection.send_bytes(encode(value))

    return say
