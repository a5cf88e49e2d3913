"""Counts and nouns in sentences."""

from __future__ import annotations

import pytest

from outgrow.core.errors import UsageError
from outgrow.core.text.units import centimetres, named


def test_a_width_is_in_centimetres_unless_it_says_otherwise() -> None:
    assert [centimetres(text) for text in ("8.5", "8.5cm", " 8.5 CM", "85mm", "2in")] == pytest.approx(
        [8.5, 8.5, 8.5, 8.5, 5.08]
    )
    for text in ("", "cm", "-3", "8,5", "3 feet", "1e3"):
        with pytest.raises(UsageError, match="is not a width"):
            centimetres(text)


def test_a_sentence_about_texts_becomes_one_about_images() -> None:
    assert named("image", "A text that is like a text of text.csv: 2 texts, a careful text") == (
        "An image that is like an image of text.csv: 2 images, a careful image"
    )
    assert named("comparison", "nearly the same as a text; see --text") == "nearly the same as a comparison; see --text"
    assert named("text", "a text") == "a text"
