"""The command in a process group of its own, which may die at a moment that a test names."""

import os
import subprocess
import sys
from collections.abc import Sequence

from children import spawn
from places import SUPPORT


def started(words: Sequence[object], **environment: str) -> subprocess.Popen[str]:
    """`outgrow` with these words."""
    return spawn([sys.executable, "-m", "outgrow", *words], environment)


def dying(**moment: str) -> dict[str, str]:
    """The environment in which a process ends itself; what `moment` may be is in dying/sitecustomize.py."""
    return {"PYTHONPATH": f"{SUPPORT / 'dying'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}", **moment}
