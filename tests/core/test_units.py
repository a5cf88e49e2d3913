"""Counts and nouns in sentences."""

from __future__ import annotations

from outgrow.core.text.units import named


def test_a_sentence_about_texts_becomes_one_about_images() -> None:
    assert named("image", "A text that is like a text of text.csv: 2 texts, a careful text") == (
        "An image that is like an image of text.csv: 2 images, a careful image"
    )
    assert named("comparison", "nearly the same as a text; see --text") == "nearly the same as a comparison; see --text"
    assert named("text", "a text") == "a text"
