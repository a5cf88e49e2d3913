"""One line per check of a plug-in that passed, and every problem found."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from outgrow.core.errors import OutgrowError, foreign_code


class Findings:
    """Lines of what held, and sentences of what did not."""

    def __init__(self, name: str) -> None:
        self.name, self.held, self.wrong = name, list[str](), list[str]()

    def expect(self, right: bool, held: str, wrong: str) -> bool:
        if right:
            self.held.append(f"ok: {held}")
        else:
            self.wrong.append(f"{self.name}: {wrong}")
        return right

    def attempt(self, call: Callable[[], Any], what: str) -> Any:
        """The call's value, or None and a sentence about what it raised."""
        try:
            with foreign_code(what):
                return call()
        except OutgrowError as error:
            self.wrong.append(f"{self.name}: {error}")
            return None
        except Exception as error:  # whatever somebody's code raises is a finding
            self.wrong.append(f"{self.name}: {what} raises {type(error).__name__}: {error}")
            return None

    def close(self) -> list[str]:
        if self.wrong:
            raise OutgrowError("\n".join(self.wrong))
        return self.held


@contextmanager
def global_randomness(found: Findings) -> Iterator[None]:
    """Notice whether the global random states are left as they were found."""
    import torch

    def state() -> tuple[object, bytes, bytes]:
        numpy_state = np.random.get_state(legacy=False)["state"]
        return random.getstate(), repr(numpy_state).encode(), torch.get_rng_state().numpy().tobytes()

    before = state()
    yield
    found.expect(
        state() == before,
        "leaves the global random states alone",
        "draws from or seeds a global random state: make a generator from the seed that is passed",
    )
