"""One call from an experiment to its folder: what it records, what it forecasts, what stands when the report fails."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from rich.table import Table
from small_experiment import asked

from outgrow import Machine, OutgrowError, Results, UsageError, run
from outgrow.cli.check_plugin import check
from outgrow.core.identity import digest_file
from outgrow.execution.progress import Silent
from outgrow.execution.step import Step, kind_of
from outgrow.execution.store import Store
from outgrow.execution.throughput import PaperRates, Rates
from outgrow.experiment.forecast import forecast
from outgrow.experiment.pipeline import prepare
from outgrow.report import page


def told(folder: Path, store: Store, machine: Machine, **changes: object) -> tuple[dict[str, str], list[str]]:
    """What a forecast says: the time of each kind, and its sentences."""
    table, *sentences = forecast(asked(folder, **changes), store, machine)
    assert isinstance(table, Table)
    kinds, times = (list(table.columns[place].cells) for place in (0, 4))
    return dict(zip(map(str, kinds), map(str, times), strict=True)), [str(sentence) for sentence in sentences]


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_forecast_goes_by_runs_of_the_same_kind_and_model(tmp_path: Path, device: str) -> None:
    store, machine = Store(tmp_path / "store"), Machine(threads=1, device=device)
    before, sentences = told(tmp_path, store, machine)
    assert before["features"] == before["head"] == "not known yet"
    assert before["split"] == "under 1 s"
    assert any("is not known yet: nothing of their kind and model has run" in sentence for sentence in sentences)
    run(asked(tmp_path), store=store, out=tmp_path / "out", machine=machine)

    rates = Rates(store)
    student = prepare(asked(tmp_path), store, machine).runs[0].student
    seconds = rates.seconds([student], device, 1)
    assert seconds is not None
    after, sentences = told(tmp_path, store, machine, seeds=8)
    assert "not known yet" not in after.values()
    assert sentences[1].endswith("of work, by the rates of earlier runs on this store.")
    # Another model's passes and heads, and other threads, are another matter.
    other, _ = told(tmp_path, store, machine, strong=["probe:minilm"])
    assert other["features"] == other["head"] == "not known yet"
    threads, _ = told(tmp_path, store, Machine(threads=2, device=device), seeds=8)
    assert threads["head"] == "not known yet"


def test_a_forecast_is_in_proportion_to_the_work(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    small, large = (
        prepare(asked(tmp_path, split={"weak_train": n, "transfer": 60, "test": 40}), store, Machine()).runs[0].student
        for n in (20, 30)
    )
    rates = Rates(store)
    rates.add([small], "cuda:1", 1, 20.0, "auto")
    rates.save()
    again = Rates(store)
    assert again.seconds([small, large], "auto", 1) == pytest.approx(20 * (1 + large.flops / small.flops))
    assert again.seconds([small], "cuda", 1) == pytest.approx(20)
    assert again.seconds([small], "cpu", 1) is None


def test_an_estimate_on_paper_needs_no_run(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    table, _, sentence = forecast(asked(tmp_path), store, Machine(), "h100")
    assert isinstance(table, Table)
    assert "not known yet" not in map(str, table.columns[4].cells)
    assert re.search(r"About \d+\.\d GPU hours on h100, on paper", str(sentence))
    tuned, half = (
        Step("finetune", {"options": {"precision": precision}}, flops=776e12) for precision in ("bf16", "fp32")
    )
    assert PaperRates("h100").seconds([tuned], "cpu", 1) == pytest.approx(1 / kind_of("finetune").efficiency)
    assert PaperRates("h100").seconds([half], "cpu", 1) == pytest.approx(776 / 51 / kind_of("finetune").efficiency)
    with pytest.raises(UsageError, match='--rates h10: is not known; did you mean "h100"'):
        PaperRates("h10")


def test_two_files_of_one_name_are_both_recorded(tmp_path: Path) -> None:
    tasks = []
    for name, more in (("a", ""), ("b", "the weather was good,pos\n")):
        (tmp_path / name).mkdir()
        asked(tmp_path / name)  # writes it
        file = tmp_path / name / "reviews.csv"
        file.write_text(file.read_text() + more)
        tasks.append({"name": name, "file": str(file), "text": "sentence", "label": "label"})
    results = run(
        asked(tmp_path, tasks=tasks, methods=["naive"], seeds=[0]),
        store=tmp_path / "store",
        out=tmp_path / "out",
        machine=Machine(threads=1),
    )
    both = sorted(digest_file(tmp_path / name / "reviews.csv") for name in ("a", "b"))
    assert results.environment["files"] == {"reviews.csv": both}


@pytest.mark.parametrize("library", ["altair", "vl_convert"])
def test_results_stand_where_the_report_cannot_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    page.bundle.cache_clear()
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(OutgrowError, match=rf"report was not written.*{library}.*all results are in place.*") as caught:
        run(asked(tmp_path), store=tmp_path / "store", out=tmp_path / "out", machine=Machine(threads=1))
    assert caught.value.exit_code == 1
    assert f"outgrow report {tmp_path / 'out'}" in str(caught.value)
    assert len(Results.read(tmp_path / "out").cells) == 2
    assert not (tmp_path / "out" / "report.html").exists()


@pytest.mark.slow
def test_the_same_run_again_is_read_from_its_folder_and_any_other_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, out, machine = Store(tmp_path / "store"), tmp_path / "out", Machine(threads=1, device="cpu")
    pages: list[Path] = []
    write = page.write
    monkeypatch.setattr(
        page, "write", lambda runs, path: pages.append(path) or write(runs, path)
    )  # the last of a folder

    def written(**changes: object) -> bool:
        """Whether a run writes its folder, and then holds what it returns."""
        before = len(pages)
        found = run(asked(tmp_path, **changes), store=store, out=out, machine=machine)
        assert found.to_json() == Results.read(out).to_json()
        assert found.folder == out
        return len(pages) > before

    run(asked(tmp_path), store=store, out=out, machine=machine)
    content = {path.name: path.read_bytes() for path in out.iterdir()}
    assert not written()
    for name in content:
        edited = bytearray(content[name])
        edited[len(edited) // 2] ^= 1
        (out / name).write_bytes(edited)
        if name != "report.html":  # which holds no result, and may be replaced by `outgrow report --out`
            assert written(), name
            assert name in ("work.json", "SHA256SUMS") or (out / name).read_bytes() == content[name]
        (out / name).unlink()
        assert written(), name
    assert written(seeds=3)
    assert not written(seeds=3)
    assert written(metrics=["accuracy", "brier"])
    head = run_head(store)
    shutil.rmtree(store.folder(head))
    assert written(metrics=["accuracy", "brier"])  # what it was written from is gone: it is made again
    assert store.has(head)


def run_head(store: Store) -> str:
    """A step in the store that is a head's."""
    return next(path.parent.name for path in store.root.glob("objects/*/*/head.safetensors"))


def test_another_experiment_in_a_run_folder_is_named_and_one_that_grew_is_not(tmp_path: Path) -> None:
    store, out, machine, display = Store(tmp_path / "store"), tmp_path / "out", Machine(threads=1), Silent()

    def notes(**changes: object) -> list[str]:
        before = len(display.notes)
        run(asked(tmp_path, **changes), store=store, out=out, machine=machine, display=display)
        return [note for note in display.notes[before:] if "another experiment" in note]

    assert notes() == notes(seeds=3) == notes(seeds=3, methods=["naive", "confidence", "entropy"]) == []
    assert notes(seeds=3, weak=["majority"], methods=["naive"]) == [
        f"{out} holds the results of another experiment, with weak: static:wordllama rows=4, methods: confidence, "
        "methods: entropy; "
        "this run replaces them (what was computed stays in the store; --out keeps both)"
    ]
    split = {"weak_train": 30, "transfer": 50, "validation": 10, "test": 40}
    [note] = notes(seeds=[0, 1, 5], weak=["majority"], methods=["naive"], split=split)
    assert "with seed: 2, split: transfer 60; this run replaces them" in note
    (out / "experiment.yaml").write_text("{")
    assert notes() == []


IGNORES = """
from __future__ import annotations
from typing import Any
import numpy as np
from pydantic import BaseModel

class Deaf(BaseModel):
    def fit(self, examples: Any, targets: Any, objective: Any, seed: int) -> Any:
        return self

    def predict(self, examples: Any) -> Any:
        last = np.array([str(text)[-1] == "d" for text in examples.inputs])
        return np.column_stack([0.3 + 0.1 * last, 0.7 - 0.1 * last])
"""


def test_a_model_that_does_not_use_its_objective_is_noted(tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text(IGNORES)
    strong = [f"{tmp_path / 'deaf.py'}:Deaf", "static:wordllama", "majority"]
    results = run(asked(tmp_path, strong=strong), store=tmp_path / "store", out=tmp_path / "out")
    found = [note for note in results.notes if "to the last digit" in note]
    assert len(found) == 1
    assert found[0].startswith(
        f"reviews: {tmp_path / 'deaf.py'}:Deaf taught by static:wordllama rows=4 predicts the same"
    )
    assert "with naive and confidence:" in found[0]
    more = run(
        asked(tmp_path, strong=strong, methods=["naive", "confidence", "gce"]),
        store=tmp_path / "store",
        out=tmp_path / "3",
    )
    [note] = [note for note in more.notes if "to the last digit" in note]
    assert "with naive, confidence and gce:" in note


def test_check_finds_a_model_that_ignores_its_objective(tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text(IGNORES)
    with pytest.raises(OutgrowError, match="it ignores its objective, so that the losses of all methods are one to it"):
        check(f"{tmp_path / 'deaf.py'}:Deaf")
    (tmp_path / "says.py").write_text(
        IGNORES.replace("(BaseModel)", "(Model)")
        .replace("pydantic import BaseModel", "outgrow import Model")
        .replace("    def fit", "    by_loss = False\n\n    def fit")
    )
    with pytest.raises(OutgrowError) as caught:
        check(f"{tmp_path / 'says.py'}:Deaf")
    assert "objective" not in str(caught.value)  # what is left is that it knows two classes alone


def test_groups_that_some_seed_cannot_deal_are_found_before_any_training(tmp_path: Path) -> None:
    """Groups go to one split whole, so that what one seed can deal another may not."""
    rows = [f"text {row},{row % 2},g{row // 6 if row % 6 else f'x{row}'}\n" for row in range(90)]  # of one and of five
    (tmp_path / "grouped.csv").write_text("".join(["text,label,group\n", *rows]), encoding="utf-8")
    task = {
        "name": "grouped",
        "file": str(tmp_path / "grouped.csv"),
        "text": "text",
        "label": "label",
        "group": "group",
    }
    store = Store(tmp_path / "store")

    def fails(seeds: list[int]) -> str | None:
        split = {"weak_train": 13, "transfer": 44, "test": 30}
        try:
            prepare(asked(tmp_path, tasks=[task], split=split, seeds=seeds), store, Machine())
        except UsageError as error:
            return str(error)
        return None

    alone = {seed: fails([seed]) for seed in range(12)}
    (good, *_), (bad, *_) = ([seed for seed in alone if (alone[seed] is None) == fine] for fine in (True, False))
    assert fails([good, bad]) == alone[bad]
    assert str(alone[bad]).startswith("grouped: weak_train 13 + transfer 44 + validation 0 cannot be dealt from ")
