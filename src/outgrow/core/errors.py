"""The one family of errors that users meet, and their exit codes."""

from __future__ import annotations


class OutgrowError(Exception):
    """A failure, in one sentence that says what, where, and what to do. Exit code 1."""

    exit_code = 1


class UsageError(OutgrowError):
    """What the user asked for cannot be done as written. Holds every problem found. Exit code 2."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))
