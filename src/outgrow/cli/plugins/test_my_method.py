"""My method keeps its contract; `pytest` runs this."""

from pathlib import Path

from outgrow.cli.check_plugin import check


def test_it_keeps_its_contract() -> None:
    for line in check(f"{Path(__file__).with_name('my_method.py')}:MyMethod"):
        print(line)
