"""Python imports this at its start where this folder is in PYTHONPATH: the command then kills itself at a chosen moment.

Which is when a result of the kind `$DIES_AT` is about to be put into a store that holds one of the kind `$DIES_AFTER`
already: the same moment on a machine of any speed. Or when the file `$DIES_WRITING` is about to be put in its place. The signal
is `$DIES_BY`, by default SIGKILL, and comes once.
"""

import json
import os
import signal
import sys
from pathlib import Path

at, after = os.environ.get("DIES_AT"), os.environ.get("DIES_AFTER")
file = os.environ.get("DIES_WRITING")
by = signal.Signals[os.environ.get("DIES_BY", "SIGKILL")]
sent: list[int] = []


def kind(result: Path) -> str:
    return str(json.loads((result / "artifact.json").read_bytes())["kind"])


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if event != "os.rename":
        return
    source, target = (Path(os.fsdecode(each)) for each in arguments[:2])  # type: ignore[arg-type]
    if sent or not (target.name == file if file is not None else is_time(source, target)):
        return
    sent.append(by)
    os.killpg(0, by)


def is_time(source: Path, target: Path) -> bool:
    if target.parent.parent.name != "objects" or kind(source) != at:
        return False
    return any(kind(path) == after for path in target.parent.parent.glob("*/*"))


sys.addaudithook(watch)
