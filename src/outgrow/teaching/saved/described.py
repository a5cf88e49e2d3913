"""What a student's folder says of it: its classes, its body, how it was made, and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from outgrow.models.checkpoints.locate import SHORT
from outgrow.teaching.options import Learner
from outgrow.teaching.report import Report
from outgrow.teaching.saved.model_card import licence
from outgrow.teaching.saved.sealed import without_folders


def described(
    learner: Learner, report: Report, classes: Sequence[str], text: Any, labels: Sequence[str], form: str, seed: int
) -> dict[str, Any]:
    """What `saved_student.save` writes as student.json.

    text: the identity of how inputs are read. labels: the columns of the cheap labels, none of arrays; form: what they hold.
    """
    spec, place = learner.spec, learner.location
    short = SHORT.get(place.name.lower())
    return {
        "classes": list(classes),
        "text": text,
        "model": {
            "name": without_folders(spec.name),
            "hub": place.hub or (short.hub if short is not None else None),
            "fingerprint": place.fingerprint,
            "licence": licence(place.name, place.path),
            "options": spec.options.model_dump(mode="json", exclude={"checkpoint"}),
        },
        "made": {
            "labels": list(labels),
            "form": form,
            "method": report.method,
            "l2": report.l2 if report.l2 is not None else getattr(spec.options, "l2", None),
            "weight": report.weight,
            "corrections": report.corrections,
            "seed": seed,
            "environment": {name: version(name) for name in ("torch", "transformers", "numpy")},
        },
        "numbers": report.plain(),
    }
