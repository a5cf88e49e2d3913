"""Probes of pictures: tiny random backbones of several families, against the models called by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
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


@pytest.mark.parametrize(
    ("family", "leading"),
    [("dinov2 with registers", 3), ("clip's part for pictures", 1), ("dinov3", 5), ("dinov3 convnext", None)],
)
def test_a_checkpoint_that_names_its_processor_reads_pictures(family: str, leading: int | None, tmp_path: Path) -> None:
    """Also one whose processor transformers has for torchvision alone: it is ViT's, on pictures scaled by Pillow."""
    folder = backbone(family, tmp_path)
    model = hf.AutoModel.from_pretrained(folder).eval()
    mean, deviation = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) if family == "dinov3" else ([0.5] * 3, [0.5] * 3)
    image = Image.of(noise(7, 48))
    if family.startswith("dinov3"):
        scaled = np.asarray(image.rgb().resize((32, 32), PIL.Image.Resampling.BILINEAR)) / 255
        values = torch.tensor((scaled - mean) / deviation, dtype=torch.float32).permute(2, 0, 1)[None]
    else:
        values = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")(image.rgb(), return_tensors="pt")[
            "pixel_values"
        ]
    with torch.no_grad():
        states = model(values).last_hidden_state[0]
    if leading is None:
        states = states.flatten(1).T if states.ndim == 3 else states
        assert np.allclose(read(folder, [image])[0], states.mean(0), atol=1e-5)
        return
    assert np.allclose(read(folder, [image])[0], states[0], atol=1e-5)
    assert np.allclose(read(folder, [image], pooling="mean")[0], states[leading:].mean(0), atol=1e-5)


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
