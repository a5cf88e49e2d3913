"""How a test gives a command in this process, and what every end of one must be."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from outgrow.cli.app import answer

SENTENCES = 21  # at most, of one failure
LONGEST = 1100  # characters of one
SECONDS = 30.0
RAW = ("Traceback", "Error:", "Exception", "an error of outgrow's own", "object at 0x", "<class '")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    said: str  # stderr


def outgrow(*words: object, cwd: Path | None = None) -> Ended:
    """Give a command in this process, in a folder."""
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said), _inside(cwd):
        begin = time.monotonic()
        code = answer([str(word) for word in words])
        assert time.monotonic() - begin < SECONDS, words
    return Ended(code, out.getvalue(), said.getvalue())


def held(ended: Ended) -> Ended:
    """Whatever a command is given, it ends well: 0, or 1 or 2 with sentences that a person can read."""
    assert ended.code in (0, 1, 2), ended
    for text in (ended.out, ended.said):
        wrong = [one for one in text if not one.isprintable() and one not in "\n\u200c\u200d"]
        assert not wrong, (wrong, text)
    if ended.code:
        lines = [line for line in ended.said.splitlines() if not line.startswith(("note: ", "["))]
        assert lines, "no word about the failure"
        assert len(lines) <= SENTENCES, lines
        assert max(map(len, lines)) <= LONGEST, lines
        assert not [raw for raw in RAW for line in lines if raw in line and not line.startswith("Error: ")], lines
    return ended


def refused(ended: Ended, sentence: str) -> Ended:
    """It failed in a sentence that has these words."""
    held(ended)
    assert ended.code in (1, 2), ended
    assert sentence in ended.said, ended.said
    return ended


@contextlib.contextmanager
def _inside(folder: Path | None) -> Iterator[None]:
    if folder is None:
        yield
        return
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


CONFINED = """
folder=$1; shift
mount --bind "$folder" "$folder" || exit 99
cut -d' ' -f2 /proc/self/mounts | while read -r place; do
  [ "$place" = "$folder" ] || mount -o remount,bind,ro "$place" 2>/dev/null
done
cd "$folder" && exec "$@"
"""


def confined(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """A command that can write into one folder alone: as root with every other mount read-only, else as it is."""
    words = [str(word) for word in command]
    if os.geteuid() == 0 and shutil.which("unshare"):
        words = ["unshare", "-m", "--propagation", "private", "sh", "-c", CONFINED, "sh", str(folder), *words]
    environment = {**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False, errors="replace"
    )
