"""`outgrow teach --audit`: what an audit beside a student needs, known before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outgrow.core.errors import UsageError
from outgrow.core.files.tables import table_format
from outgrow.questions.material import head_of


def check_audit(out: Path, folder: Path, student: str | Mapping[str, Any], others: Mapping[str, object]) -> None:
    """Raise UsageError with every reason why no audit can be written to `out` beside the student in `folder`.

    others: options of teach that an audit does not have, by name, with what was given for them.
    """
    problems = []
    given = [option for option, value in others.items() if value]
    if given:
        problems.append(
            f"--audit: an audit is of texts with labels, and of one file of careful ones: leave out {', '.join(given)}, or "
            "give `outgrow audit` the files"
        )
    if out.resolve().is_relative_to(folder.resolve()):
        problems.append(f"--audit {out}: is inside the student's folder, which others may get; name a file beside it")
    for check in (lambda: table_format(out), lambda: head_of(student, option="--audit")):
        try:
            check()
        except UsageError as error:
            problems += error.problems
    if problems:
        raise UsageError(*problems)
