"""Processes that a test starts and goes on beside: none outlives its test, whatever happens."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress

_STARTED: list["subprocess.Popen[str]"] = []


def spawn(command: Sequence[object], environment: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """A process in a group of its own, with pipes to all its streams; `environment` is added to this one's."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*map(str, command)],
        text=True,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,
        env={**os.environ, **(environment or {})},
    )
    _STARTED.append(process)
    return process


def python(code: str, *arguments: object, environment: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """Another Python that runs `code`; its arguments are sys.argv[1:]."""
    return spawn([sys.executable, "-c", textwrap.dedent(code), *arguments], environment)


def end_all() -> None:
    """Kill what a failed test left running, and close its pipes: else they spoil the tests after it."""
    while _STARTED:
        process = _STARTED.pop()
        if process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
