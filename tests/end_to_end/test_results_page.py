"""docs/results.md has the places that the commands fill, and names for every model of the example of images."""

import pytest
from measured import benchmark
from places import BENCHMARKS, DOCS


def test_the_images_example_and_the_page_fit_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS / "science"))
    command = benchmark("results_images")
    asked = command.asked()
    called = [spec.name for spec in (*asked.weak, *asked.strong)]
    assert called == ["raw pixels", "convnet", "Lite0, block 7", "Lite0, head", "Lite0", "Lite2"]
    page = (DOCS / "results.md").read_text()
    tables = dict.fromkeys(("cells", "controls", "chosen"), "other\n")
    assert command.filled(page, tables, "images").count("\nother\n") == 3
    assert all(page.count(f"| {name} |") >= 6 for name in called[:4])
