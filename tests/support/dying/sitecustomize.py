"""Python imports this at its start where this folder is in PYTHONPATH: the command then kills itself at a chosen moment.

Which is when a result of the kind `$DIES_AT` is about to be put into a store that holds one of the kind `$DIES_AFTER`
already: the same moment on a machine of any speed.
"""

import json
import os
import signal
import sys
from pathlib import Path

at, after = os.environ["DIES_AT"], os.environ["DIES_AFTER"]


def kind(result: Path) -> str:
    return str(json.loads((result / "artifact.json").read_bytes())["kind"])


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if event != "os.rename":
        return
    source, target = (Path(os.fsdecode(each)) for each in arguments[:2])  # type: ignore[arg-type]
    if target.parent.parent.name != "objects" or kind(source) != at:
        return
    if any(kind(path) == after for path in target.parent.parent.glob("*/*")):
        os.killpg(0, signal.SIGKILL)


sys.addaudithook(watch)
