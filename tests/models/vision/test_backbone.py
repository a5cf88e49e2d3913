"""Probes of pictures: tiny random backbones of several families, against the models called by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from pictures import noise
from tiny_backbones import backbone
from tiny_models import make

from outgrow import OutgrowError, UsageError
from outgrow.core.inputs.image import Image
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.heads.probe import Probe

IMAGES = [Image.of(noise(seed, side)) for seed, side in enumerate((32, 48, 40))]


def by_hand(folder: Path, image: Image, layer: int | None) -> torch.Tensor:
    model = hf.AutoModel.from_pretrained(folder).eval()
    model = getattr(model, "vision_model", model)
    processor = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    with torch.no_grad():
        answer = model(processor(image.rgb(), return_tensors="pt")["pixel_values"], output_hidden_states=True)
    return answer.last_hidden_state[0] if layer is None else answer.hidden_states[layer][0]


def read(folder: Path, images: list[Image] = IMAGES, **options: Any) -> np.ndarray:
    made = Probe(checkpoint=str(folder), **options)
    return made.features(images, resolve(str(folder), "probe"), "cpu", lambda done, total: None).values


@pytest.mark.parametrize("family", ["vit", "dinov2", "clip"])
def test_a_transformers_class_token_or_the_mean_of_its_patches(family: str, tmp_path: Path) -> None:
    folder = backbone(family, tmp_path)
    for layer in (None, 1):
        states = [by_hand(folder, image, layer) for image in IMAGES]
        assert np.allclose(read(folder, layer=layer), np.stack([one[0] for one in states]), atol=1e-5)
        means = np.stack([one[1:].mean(0) for one in states])
        assert np.allclose(read(folder, layer=layer, pooling="mean"), means, atol=1e-5)
    with pytest.raises(UsageError, match=r"there is no layer 4: the model has 3 layers"):
        read(folder, layer=4)


@pytest.mark.parametrize("family", ["resnet", "convnext"])
def test_the_mean_over_places_of_a_convolutional_network(family: str, tmp_path: Path) -> None:
    folder = backbone(family, tmp_path)
    for layer in (None, 2):
        means = np.stack([by_hand(folder, image, layer).mean((1, 2)) for image in IMAGES])
        assert np.allclose(read(folder, layer=layer), means, atol=1e-5)
    assert np.allclose(read(folder, IMAGES[1:2]), read(folder)[1:2], atol=1e-5)
    with pytest.raises(UsageError, match="pooling is `mean` for these pictures' features, not `cls`"):
        read(folder, pooling="cls")


def test_a_processor_of_another_size_changes_the_fingerprint(tmp_path: Path) -> None:
    folder = backbone("vit", tmp_path)
    before = resolve(str(folder), "probe").fingerprint
    hf.ViTImageProcessorPil(size={"height": 32, "width": 32}, do_normalize=False).save_pretrained(folder)
    assert resolve(str(folder), "probe").fingerprint != before


def test_a_model_of_texts_reads_no_pictures_and_the_other_way_round(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a 'bert' model reads no pictures"):
        read(make("bert", tmp_path / "bert"))
    with pytest.raises(OutgrowError):
        read(backbone("vit", tmp_path / "vit"), ["a text"])  # type: ignore[list-item]
