"""Processes that load the same checkpoint share one copy of its weights."""

import sys
from pathlib import Path

import pytest

from outgrow.models.checkpoints.loading import read_config, read_weights
from outgrow.models.checkpoints.locate import resolve


@pytest.mark.skipif(sys.platform != "linux", reason="what is mapped is read from /proc")
def test_weights_are_mapped_from_their_file_and_not_copied() -> None:
    folder = Path(str(resolve("minilm", "finetune").path))
    model = read_weights("minilm", folder, "AutoModel", read_config(folder))
    file = str((folder / "model.safetensors").resolve())
    lines = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(file)]
    mapped = [[int(end, 16) for end in line.split()[0].split("-")] for line in lines]
    places = [parameter.data_ptr() for parameter in model.parameters()]
    assert all(any(low <= place < high for low, high in mapped) for place in places)
    assert len(places) > 100
