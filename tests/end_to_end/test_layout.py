"""Where tests find what they share: in tests/support and in fixtures, never in one another."""

from __future__ import annotations

import ast
from pathlib import Path

from places import ROOT


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_no_test_module_imports_another() -> None:
    found = {
        str(path.relative_to(ROOT)): others
        for path in (ROOT / "tests").rglob("*.py")
        if (others := {name for name in imported(path) if name.startswith("test_")})
    }
    assert found == {}
