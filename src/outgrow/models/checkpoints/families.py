"""What a checkpoint's config.json tells of its family, without loading anything."""

from __future__ import annotations

from pathlib import Path

from outgrow.models.checkpoints.safe_folder import read_object
from outgrow.models.contract import Location

_NAMES = """
    albert bert camembert convbert deberta deberta-v2 distilbert electra ernie eurobert funnel longformer mobilebert
    modernbert mpnet nomic_bert roberta roformer squeezebert xlm-roberta
"""
ENCODERS = frozenset(_NAMES.split())


def encoder(location: Location) -> str | None:
    """The family of a checkpoint folder that is known to be a text encoder; None where it is none, or it is not known."""
    config = Path(location.path or "") / "config.json"
    if location.path is None or not config.is_file():
        return None
    content = read_object(config)
    family = content.get("model_type")
    return family if family in ENCODERS and not content.get("is_decoder") else None
