"""Memory of 5,000 pictures through EfficientNet-Lite2 at 160 pixels: the largest that the process took, and pictures a second.

python benchmarks/speed/images.py CIFAR10.jsonl.gz [--rows 5000]
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import resource
import time
from pathlib import Path

import torch

from outgrow.core.inputs.image import Image
from outgrow.core.registry import find

PLUGIN = Path(__file__).parents[2] / "examples" / "plugins" / "efficientnet_lite.py"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--rows", type=int, default=5000)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    with gzip.open(given.file, "rt", encoding="utf-8") as file:
        encoded = [json.loads(line)["jpeg_base64"] for _, line in zip(range(given.rows), file, strict=False)]
    images = [Image.of(base64.b64decode(one)) for one in encoded]
    model = find("models", f"{PLUGIN}:EfficientnetLite").load()(checkpoint="lite2", side=160)
    begin = time.process_time()
    found = model.features(images, model.locate("lite2"), "cpu", lambda done, total: None).values
    seconds = time.process_time() - begin
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    size = f"{len(found):,} pictures, {found.shape[1]} features each"
    print(f"{size}: {largest:.2f} GB at most, {len(found) / seconds:.0f} a processor second")


if __name__ == "__main__":
    main()
