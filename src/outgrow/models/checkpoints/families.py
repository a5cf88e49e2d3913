"""What a checkpoint's config.json tells of its family, without loading anything."""

from __future__ import annotations

import json
from pathlib import Path

from outgrow.models.contract import Location

_NAMES = """
    albert bert camembert convbert deberta deberta-v2 distilbert electra ernie eurobert funnel longformer mobilebert
    modernbert mpnet nomic_bert roberta roformer squeezebert xlm-roberta
"""
ENCODERS = frozenset(_NAMES.split())


def encoder(location: Location) -> str | None:
    """The family of a checkpoint folder that is known to be a text encoder; None where it is none, or can't be told."""
    config = Path(location.path or "") / "config.json"
    if location.path is None or not config.is_file():
        return None
    try:
        content = json.loads(config.read_text("utf-8"))
    except ValueError:
        return None  # told where it is loaded
    family = content.get("model_type") if isinstance(content, dict) else None
    return family if family in ENCODERS and not content.get("is_decoder") else None
