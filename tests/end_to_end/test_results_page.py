"""docs/results.md has the places that the commands fill, names for every model, and sentences that its tables bear out."""

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


def test_the_texts_and_the_page_fit_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS / "science"))
    command = benchmark("results_nlp")
    page = (DOCS / "results.md").read_text()
    names = ("preferences", "controls", "margin", "paper", "averages", "forms", "easy")
    assert command.filled(page, dict.fromkeys(names, "other\n")).count("\nother\n") == len(names)

    def table(name: str) -> list[list[str]]:
        text = page.partition(f"<!-- nlp:{name} -->\n")[2].partition(f"<!-- /nlp:{name} -->")[0]
        lines = [line for line in text.splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]

    for _, tasks, _, _, defined, undefined in table("averages"):
        assert (int(tasks), int(defined), len(undefined.split(", "))) == (20, 4, 16)
    assert "**sixteen of the twenty tasks PGR is undefined**" in page
    assert {row[0] for row in table("forms")} == set(command.ANSWERS)
    tested = command.example("preferences", lambda content: None)
    written = {row[1] for row in table("preferences")}
    assert written == {spec.name for spec in tested.strong}
    assert len({row[0].partition(" easy")[0] for row in table("easy")}) == 3
