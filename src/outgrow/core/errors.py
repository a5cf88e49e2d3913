"""The one family of errors that users meet, and their exit codes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class OutgrowError(Exception):
    """A failure, in one sentence that says what, where, and what to do. Exit code 1."""

    exit_code = 1


class UsageError(OutgrowError):
    """What the user asked for cannot be done as written. Holds every problem found. Exit code 2."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


NO_MEMORY = "memory ran out; give fewer --jobs, fewer rows or a smaller model"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is of memory that could not be had, as Python, torch, the system or its loader of libraries say so."""
    words = ("allocate memory", "failed to map segment", "can't start new thread", "return without exception set")
    kinds = RuntimeError | ImportError | OSError | SystemError
    return isinstance(error, MemoryError) or (isinstance(error, kinds) and any(one in str(error) for one in words))


class Stopped(SystemExit):
    """Ctrl-C or SIGTERM, as the command line raises it: the only exit that comes from outside the program."""


@contextmanager
def foreign_code(name: str) -> Iterator[None]:
    """Somebody's code runs in the block: where it ends the program, that is a failure of it with a sentence.

    A real Ctrl-C passes: as `Stopped`, or as KeyboardInterrupt where Python's own handler of it is in place.
    """
    try:
        yield
    except Stopped:
        raise
    except SystemExit as error:
        code = "" if error.code is None else repr(error.code)
        raise OutgrowError(
            f"{name}: calls sys.exit({code}), which would end the program; raise an error instead"
        ) from error
    except KeyboardInterrupt as error:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            raise
        raise OutgrowError(f"{name}: raises KeyboardInterrupt; raise an error of another kind instead") from error
