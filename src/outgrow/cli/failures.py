"""How a command ends that could not do what it was asked: sentences on stderr and an exit code."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any

import typer

from outgrow.cli.printing import say
from outgrow.core.text.printable import printable

SENTENCES = 20  # of one failure are printed; a file with a thousand faults needs no thousand lines
LONGEST = 1000  # characters of a sentence

_Misused: Any = typer.BadParameter.__mro__[1]  # the parent of every error in how a command line is written


def explain(error: BaseException) -> int:
    """Print why a command ended; its exit code: 2 for what was asked wrongly, 1 for a failure, 130 for Ctrl-C."""
    from outgrow.core.errors import OutgrowError, Stopped  # not for --help: it brings numpy

    match error:
        case _Misused():
            buffer = io.StringIO()
            error.show(file=buffer)
            say(buffer.getvalue(), error=True, end="")
            return 2
        case Stopped() | typer.Abort():
            for note in getattr(error, "__notes__", ()):
                _say(note)
            _say("stopped; what was finished is kept, and the same command goes on from here")
            return error.code if isinstance(error, Stopped) and isinstance(error.code, int) else 130
        case BrokenPipeError() | SystemExit(__context__=BrokenPipeError()):  # typer turns the one into the other
            _give_up_stdout()
            return 1
        case OutgrowError():
            for line in _shortened(str(error)):
                _say(line)
            return error.exit_code
    _say(_sentence(error))
    return 1


def _say(line: str) -> None:
    with suppress(OSError, ValueError):  # stderr itself may be closed or full
        say(f"outgrow: {line}", error=True)


def _shortened(text: str) -> list[str]:
    lines = [line if len(line) <= LONGEST else f"{line[:LONGEST]} …" for line in text.splitlines()]
    more = len(lines) - SENTENCES
    return lines if more <= 0 else [*lines[:SENTENCES], f"and {more} more problems of the same command"]


def _sentence(error: BaseException) -> str:
    """What happened, where an error is none of outgrow's own kinds."""
    from outgrow.core.errors import NO_MEMORY, is_out_of_memory
    from outgrow.core.files.disk import is_full_disk

    match error:
        case _ if is_out_of_memory(error):
            return NO_MEMORY
        case UnicodeEncodeError():
            name = printable(str(error.object)[:80])
            return (
                f"{name!r} cannot be written in this system's encoding, {error.encoding}: set PYTHONUTF8=1, or a locale "
                "such as LC_ALL=C.UTF-8"
            )
        case RecursionError():
            return "something is nested too deeply to be read; make it flatter"
        case SystemExit() | KeyboardInterrupt():
            how = "sys.exit" if isinstance(error, SystemExit) else "KeyboardInterrupt"
            return f"a plug-in ended the program with {how}; it must raise another error or return"
        case OSError() if is_full_disk(error):
            _give_up_stdout()
            where = error.filename or "the place that the output goes to"
            return f"{where}: the disk is full; make room there, then give the same command again"
        case FileNotFoundError() if error.filename is None:
            return "the working directory does not exist any more; change to another folder"
        case OSError() if error.filename is not None:
            return f"{os.fsdecode(error.filename)}: cannot be used: {error.strerror or type(error).__name__}"
    return f"an error of outgrow's own: {type(error).__name__}: {error}; --debug shows where"


def _give_up_stdout() -> None:
    """Nothing more can be written there: Python would try once more when it ends, and print a second error."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
