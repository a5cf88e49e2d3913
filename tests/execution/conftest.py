"""What tests of execution share."""

import pytest
import toys

from outgrow.core import registry


@pytest.fixture
def toy_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kinds of toy steps are registered."""
    for name, target in toys.ROWS.items():
        monkeypatch.setitem(registry.BUILT_IN["step kinds"], name, target)
    # Where another test has loaded torch, every worker would load it too, for seconds.
    monkeypatch.setattr("outgrow.execution.executors.processes.torch_is_loaded", lambda: False)
