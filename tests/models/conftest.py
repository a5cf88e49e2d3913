"""What tests of models share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import make


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A tiny model of a family, in a folder: made once per module."""
    kept: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in kept:
            kept[family] = make(family, tmp_path_factory.mktemp(family))
        return kept[family]

    return get
