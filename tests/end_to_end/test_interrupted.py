"""The real command on real models, killed, stopped, raced, damaged and out of room: the end is always the same."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest
from killed import started
from pyarrow import parquet

from outgrow.core.files import disk
from outgrow.execution.store import Store
from outgrow.tasks.sentiment import sentiment

KILLS = [4, pytest.param(20, marks=pytest.mark.slow)]
FILES = ("results.json", "results.parquet", "predictions.parquet", "examples.parquet")


@dataclass(frozen=True)
class Undisturbed:
    """A run that nothing happened to: its files, its store, and how long it took."""

    experiment: Path
    store: Path
    out: Path
    seconds: float


def start(experiment: Path, store: Path, out: Path, jobs: int = 1) -> subprocess.Popen[str]:
    """The command in a process group of its own, one thread a process, so that all runs may be compared bit by bit."""
    return started(["run", experiment, "--store", store, "--out", out, "--jobs", jobs, "--threads", 1])


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """What the command said on stderr; it has to end with this exit code, and never with a traceback."""
    _, said = process.communicate(timeout=300)
    assert process.returncode == code, said
    assert "Traceback" not in said
    return said


def same(out: Path, undisturbed: Undisturbed) -> None:
    """All files of a run folder, bit by bit; threads and versions are the same here, so the environment is too."""
    for name in FILES:
        assert (out / name).read_bytes() == (undisturbed.out / name).read_bytes(), name
    # The report says how long the work took, and names its folder: it and work.json are there, and differ.
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*FILES, "experiment.yaml", "report.html", "work.json", "SHA256SUMS"]
    )


def under_way(store: Path) -> list[str]:
    """The steps that are being written, or were when their process was killed."""
    return [path.name for path in disk.entries(store / "tmp")]


def begun(store: Path, before: list[str]) -> bool:
    """Whether another step is being written than before."""
    return bool(set(under_way(store)) - set(before))


def past(moment: float) -> bool:
    """Whether the clock has passed a moment."""
    return time.monotonic() >= moment


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> bool:
    """Whether it came true before the process ended."""
    while process.poll() is None:
        if condition():
            return True
        time.sleep(0.002)
    return False


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    rows = list(zip(sentiment().inputs, sentiment().labels, strict=True))[::11]
    for name, wrong_every in (("reviews.csv", 0), ("crowd.csv", 4)):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for number, (text, label) in enumerate(rows):
                flip = wrong_every and number % wrong_every == 0
                writer.writerow([text, 1 - int(str(label)) if flip else label])
    experiment = folder / "reviews.yaml"
    experiment.write_text(
        """
        tasks: [{file: reviews.csv, text: text, label: label}]
        weak: [{static: wordllama, rows: 40}, {given: crowd.csv}]
        strong: [probe:minilm, {static: wordllama, l2: [0.01, 0.1]}]
        methods: [naive, confidence]
        seeds: 2
        split: {weak_train: 60, transfer: 70, validation: 30, test: 80}
        """
    )
    begin = time.monotonic()
    process = start(experiment, folder / "store", folder / "out")
    finish(process)
    return Undisturbed(experiment, folder / "store", folder / "out", time.monotonic() - begin)


@pytest.mark.slow
def test_the_experiment_is_worth_interrupting(undisturbed: Undisturbed) -> None:
    content = json.loads((undisturbed.out / "results.json").read_text())
    assert len(content["cells"]) == 8
    assert len(content["runs"]) == 16
    chosen = [each.get("chosen_l2") for each in content["runs"]]
    assert None in chosen
    table = parquet.read_table(undisturbed.out / "results.parquet").to_pylist()
    assert [row["chosen_l2"] and json.loads(row["chosen_l2"]) for row in table] == chosen
    kinds = {json.loads(path.read_text())["kind"] for path in undisturbed.store.glob("objects/*/*/artifact.json")}
    assert kinds == {"pool", "split", "given", "features", "head", "choose"}


@pytest.mark.slow
@pytest.mark.parametrize("many", KILLS)
def test_killed_at_many_moments_it_ends_as_if_undisturbed(undisturbed: Undisturbed, tmp_path: Path, many: int) -> None:
    """Half of the moments are drawn over a run's whole duration, a quarter soon after a step begins, a quarter at that moment.

    A run that reaches its end in spite of all is compared, and the next one begins with an empty store: so that every
    kill hits work, and none a run that the store answers. How many kills hit a step in the middle is the machine's: there
    are more kills until enough of them do.
    """
    rng = random.Random(20)
    kills = ends = in_the_middle = 0
    store, out = tmp_path / "store 0", tmp_path / "out 0"
    seconds = undisturbed.seconds
    while kills < many or in_the_middle < many // 4:
        begin = time.monotonic()
        process = start(undisturbed.experiment, store, out, jobs=2 if kills % 5 == 4 else 1)
        if kills % 2:
            hit = wait_for(partial(begun, store, under_way(store)), process)
            delay = rng.uniform(0, seconds / 4) if kills % 4 == 1 else 0
        else:
            hit, delay = True, rng.uniform(0, seconds)
        if hit:
            hit = wait_for(partial(past, time.monotonic() + delay), process)
        if hit:
            os.killpg(process.pid, signal.SIGKILL)
        _, said = process.communicate()
        if process.returncode == -signal.SIGKILL:
            kills += 1
            in_the_middle += bool(under_way(store))
            whole(store)
            if (out / "results.json").exists():
                assert (out / "results.json").read_bytes() == (undisturbed.out / "results.json").read_bytes()
        else:
            assert process.returncode == 0, said
            same(out, undisturbed)
            ends += 1
            seconds = min(seconds, time.monotonic() - begin)  # the machine may have been busier before
            store, out = tmp_path / f"store {ends}", tmp_path / f"out {ends}"
        assert ends <= 2 * many, "the kills come after the work"
        assert kills <= 3 * many, "no kill hits a step in the middle"
    finish(start(undisturbed.experiment, store, out))
    same(out, undisturbed)
    assert under_way(store) == []


def whole(root: Path) -> None:
    """Everything that is in place is whole."""
    store = Store(root)
    for path in root.glob("objects/*/*"):
        assert store.open(path.name) == path
    assert store.warnings == []


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(undisturbed: Undisturbed, tmp_path: Path) -> None:
    store, out = tmp_path / "store", tmp_path / "out"
    process = start(undisturbed.experiment, store, out, jobs=2)
    assert wait_for(lambda: any(f"-{process.pid}-" not in name for name in under_way(store)), process)
    process.kill()
    process.communicate(timeout=60)  # which waits for all that hold its pipes, and after that for the group to be empty
    deadline = time.monotonic() + 60
    while alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(process.pid)
    finish(start(undisturbed.experiment, store, out, jobs=2))
    same(out, undisturbed)
    assert under_way(store) == []


def alive(group: int) -> bool:
    """Whether any process of a group runs: one that only waits to be collected does not."""
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
    return False


@pytest.mark.slow
def test_two_processes_on_one_store_and_one_run_folder(undisturbed: Undisturbed, tmp_path: Path) -> None:
    store, out = tmp_path / "store", tmp_path / "out"
    racers = [start(undisturbed.experiment, store, out) for _ in range(2)]
    said = [finish(racer) for racer in racers]
    assert not any("damaged" in text for text in said)
    same(out, undisturbed)
    whole(store)
    assert disk.entries(store / "damaged") == []


@pytest.mark.slow
def test_the_number_of_processes_changes_no_byte(undisturbed: Undisturbed, tmp_path: Path) -> None:
    finish(start(undisturbed.experiment, tmp_path / "store", tmp_path / "out", jobs=2))
    same(tmp_path / "out", undisturbed)


@pytest.fixture
def copied(undisturbed: Undisturbed, tmp_path: Path) -> Path:
    """A copy of the undisturbed run's store, to be spoilt."""
    return Path(shutil.copytree(undisturbed.store, tmp_path / "copied"))


def artifacts(store: Path, kind: str) -> list[Path]:
    """The folders of the results of a kind."""
    return sorted(
        path.parent
        for path in store.glob("objects/*/*/artifact.json")
        if json.loads(path.read_text(encoding="utf-8"))["kind"] == kind
    )


@pytest.mark.slow
def test_damaged_results_are_noticed_and_made_again(undisturbed: Undisturbed, copied: Path, tmp_path: Path) -> None:
    choice, pool = (artifacts(copied, kind)[0] for kind in ("choose", "pool"))
    for features in artifacts(copied, "features"):
        with (features / "features.npy").open("r+b") as file:
            file.truncate(1000)
    for head in artifacts(copied, "head"):
        (head / "head.safetensors").unlink()
    edited = bytearray((choice / "probabilities.npy").read_bytes())
    edited[-1] ^= 1
    (choice / "probabilities.npy").write_bytes(edited)
    (pool / "artifact.json").write_text(
        (pool / "artifact.json").read_text().replace('"test_rows": 80', '"test_rows": 8')
    )
    said = finish(start(undisturbed.experiment, copied, tmp_path / "out"))
    lines = [line for line in said.splitlines() if "damaged" in line]
    assert len(lines) == len(disk.entries(copied / "damaged")) >= 5, said
    for what in (
        "head.safetensors is missing",
        "features.npy has 1000 bytes",
        "probabilities.npy does not match",
        "artifact.json does not match",
    ):
        assert any(what in line and "will be made again" in line for line in lines), said
    same(tmp_path / "out", undisturbed)


@pytest.mark.slow
def test_results_that_were_removed_are_made_again(undisturbed: Undisturbed, copied: Path, tmp_path: Path) -> None:
    """Pruning may take any part: here what heads were learned from, while the heads stay."""
    for folder in artifacts(copied, "features") + artifacts(copied, "split")[:1] + artifacts(copied, "given"):
        shutil.rmtree(folder)
    finish(start(undisturbed.experiment, copied, tmp_path / "out"))
    same(tmp_path / "out", undisturbed)


@pytest.mark.slow
def test_a_full_disk_under_the_store(undisturbed: Undisturbed, small_disk: Path, tmp_path: Path) -> None:
    store, out = small_disk / "store", tmp_path / "out"
    said = finish(start(undisturbed.experiment, store, out), code=1)
    sentence = said.splitlines()[-1]
    assert sentence.startswith(f"outgrow: {store}: the disk is full; nothing already computed is lost"), said
    assert not (out / "results.json").exists()
    kept = {path.name for path in store.glob("objects/*/*")}
    assert kept
    whole(store)
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    finish(start(undisturbed.experiment, store, out))
    same(out, undisturbed)
    assert kept <= {path.name for path in store.glob("objects/*/*")}


@pytest.mark.slow
def test_a_full_disk_under_the_run_folder(undisturbed: Undisturbed, small_disk: Path) -> None:
    out = small_disk / "out"
    (small_disk / "bulk.bin").write_bytes(bytes(2**20 - 16384))
    said = finish(start(undisturbed.experiment, undisturbed.store, out), code=1)
    assert said.splitlines()[-1].startswith(f"outgrow: {out}: the disk is full; nothing already computed is lost"), said
    assert disk.entries(out) == []
    (small_disk / "bulk.bin").unlink()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    finish(start(undisturbed.experiment, undisturbed.store, out))
    same(out, undisturbed)
    # Full again, the same run needs no room, and where another one finds none the results that were there stay there.
    free = shutil.disk_usage(small_disk).free
    (small_disk / "bulk.bin").write_bytes(bytes(free - 8192))
    finish(start(undisturbed.experiment, undisturbed.store, out))
    other = undisturbed.experiment.with_name("other.yaml")
    other.write_text(f"{undisturbed.experiment.read_text()}\n        metrics: [accuracy, brier]\n")
    finish(start(other, undisturbed.store, out), code=1)
    same(out, undisturbed)


@pytest.fixture
def group() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        assert not alive(process.pid)


@pytest.mark.slow
def test_stopped_by_a_signal_it_says_so_and_goes_on_later(
    undisturbed: Undisturbed, tmp_path: Path, group: list[subprocess.Popen[str]]
) -> None:
    """Ctrl-C reaches the whole group; SIGTERM the command alone, and with it go its workers."""
    store, out = tmp_path / "store", tmp_path / "out"
    for number, jobs, send in (
        (signal.SIGINT, 1, os.killpg),
        (signal.SIGTERM, 2, os.kill),
        (signal.SIGINT, 2, os.killpg),
    ):
        left = under_way(store)
        process = start(undisturbed.experiment, store, out, jobs)
        group.append(process)
        assert wait_for(partial(begun, store, left), process)
        send(process.pid, number)
        said = finish(process, code=128 + number)
        assert said.splitlines()[-1] == (
            "outgrow: stopped; what was finished is kept, and the same command goes on from here"
        )
        assert under_way(store) == []
        assert not out.exists() or disk.entries(out) == []
        whole(store)
    finish(start(undisturbed.experiment, store, out))
    same(out, undisturbed)
