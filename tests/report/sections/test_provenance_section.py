"""What the page says of how a run was made."""

from __future__ import annotations

import yaml

from outgrow.report.sections.provenance import without_places


def test_files_are_named_without_their_places() -> None:
    asked = {
        "tasks": [{"file": "/home/ada/set/train.csv", "test": "/home/ada/set/test.csv", "text": "title / body"}],
        "weak": ["probe:/home/ada/models/minilm", {"/home/ada/own.py:Mine": {"table": "/srv/t.csv", "width": 3}}],
        "strong": ["probe:minilm"],
        "names": {"probe:/home/ada/models/minilm": "MiniLM"},
        "seeds": [0, 1],
    }
    assert yaml.safe_load(without_places(yaml.safe_dump(asked))) == {
        "tasks": [{"file": "train.csv", "test": "test.csv", "text": "title / body"}],
        "weak": ["probe:minilm", {"own.py:Mine": {"table": "t.csv", "width": 3}}],
        "strong": ["probe:minilm"],
        "names": {"probe:minilm": "MiniLM"},
        "seeds": [0, 1],
    }
    for edited in ("a: [", "<b>\nno experiment", "- 1"):
        assert without_places(edited) == edited
    assert without_places("") == ""
