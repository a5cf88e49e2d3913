"""Room for results: pruning, full disks, and places that can be no store."""

import errno
import hashlib
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from children import python
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import KEY, OTHER, RECORD, WEEK, leftovers, put

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.core.files import disk
from outgrow.core.identity import canonical_json
from outgrow.execution.store import Store


def aged(store: Store, ages: list[float], bytes_each: int) -> list[str]:
    """Results last used `ages` seconds ago, each of about `bytes_each` bytes."""
    keys = [hashlib.sha256(str(age).encode()).hexdigest() for age in ages]
    for key, age in zip(keys, ages, strict=True):
        with store.create(key, RECORD) as folder:
            (folder / "data.bin").write_bytes(bytes(bytes_each))
        os.utime(store.folder(key) / "artifact.json", (time.time() - age,) * 2)
    return keys


def test_prune_by_age_of_last_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    day, week, month = aged(store, [86400, WEEK, 30 * 86400], 2000)
    assert store.open(month) is not None, "which marks it as used now"
    pruned = store.prune(older_than=2 * 86400)
    assert pruned.keys == (week,)
    assert 2000 < pruned.bytes < 4000
    assert [store.has(key) for key in (day, week, month)] == [True, False, True]
    assert leftovers(store) == []
    assert store.open(week) is None
    put(store, week)
    assert store.open(week) is not None


def test_prune_by_size_removes_the_least_recently_used(tmp_path: Path) -> None:
    store = Store(tmp_path)
    newest, middle, oldest = aged(store, [10, 20, 30], 100_000)
    one = disk.size(store.folder(newest))
    assert store.prune(max_bytes=3 * one + 10).keys == ()
    assert store.prune(max_bytes=2 * one + 10).keys == (oldest,)
    pruned = store.prune(max_bytes=one - 1000)
    assert pruned.keys == (middle, newest)
    assert pruned.bytes == pytest.approx(2 * one, abs=20)


def test_states_of_unfinished_trainings_are_pruned_and_no_results(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (result,) = aged(store, [30], 1000)
    for key, age in ((KEY, 40), (OTHER, 10)):
        store.halfway(key).parent.mkdir(exist_ok=True)
        store.halfway(key).write_bytes(bytes(2000))
        os.utime(store.halfway(key), (time.time() - age,) * 2)
    pruned = store.prune(older_than=20)
    assert (pruned.keys, pruned.states) == ((result,), 1)
    assert pruned.bytes > 3000
    assert [store.halfway(key).exists() for key in (KEY, OTHER)] == [False, True]


def test_prune_removes_what_was_set_aside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (put(store) / "text.txt").write_text("hellp")
    assert Store(tmp_path).open(KEY) is None
    pruned = Store(tmp_path).prune(older_than=WEEK)
    assert pruned.keys == ()
    assert pruned.bytes > 1000
    assert disk.entries(tmp_path / "damaged") == []


def test_prune_asks_for_a_limit_and_needs_no_store(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").prune(older_than=1).keys == ()
    assert not (tmp_path / "none").exists()
    with pytest.raises(UsageError, match="an age or a size"):
        Store(tmp_path).prune()


def test_runs_share_the_store_and_hold_it_against_pruning(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store)
    code = """
        import sys
        from pathlib import Path
        from outgrow.execution.store import Store
        with Store(Path(sys.argv[1])).lock():
            print("held", flush=True)
            sys.stdin.read()
    """
    holder = python(code, tmp_path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with store.lock():
        pass
    with pytest.raises(OutgrowError, match="a run is using this store"):
        store.prune(older_than=0)
    assert store.has(KEY)
    os.killpg(holder.pid, signal.SIGKILL)  # a process that dies lets go
    holder.communicate()
    assert store.prune(older_than=-1).keys == (KEY,)


def fill(path: Path) -> None:
    """Append to a file until its disk has no room for another byte."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_a_full_disk_is_said_and_forgotten_after_room_is_made(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    put(store)
    ballast = small_disk / "ballast"

    def write(key: str, how) -> None:
        with store.create(key, RECORD) as folder:
            how(folder)

    ways = {
        "bytes": lambda folder: (folder / "big.bin").write_bytes(bytes(600_000)),
        "numpy": lambda folder: np.save(folder / "big.npy", np.zeros(150_000, dtype=np.float32)),
        "parquet": lambda folder: _parquet(folder / "big.parquet"),
        "safetensors": lambda folder: _safetensors(folder / "big.safetensors"),
        "nothing": lambda folder: None,
    }
    for number, (way, how) in enumerate(ways.items()):
        key = f"{number:064d}"
        ballast.write_bytes(bytes(500_000))
        if way == "nothing":  # no room even for artifact.json
            fill(ballast)
        with pytest.raises(OutgrowError, match="the disk is full; nothing already computed is lost") as caught:
            write(key, how)
        assert isinstance(caught.value, disk.FullDisk), way
        assert str(store.root) in str(caught.value)
        assert not store.has(key)
        assert leftovers(store) == []
        ballast.unlink()
        write(key, how)
        assert Store(store.root).open(key) is not None
        assert store.prune(max_bytes=0).bytes > 1000
        put(store)


def _parquet(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = np.random.default_rng(0).random(75_000)
    parquet.write_table(pa.table({"a": rows}), path, use_dictionary=False, compression="none")


def _safetensors(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(150_000, dtype=np.float32)}, path)


def test_which_errors_mean_a_full_disk() -> None:
    assert disk.is_full_disk(OSError(errno.EDQUOT, "Disk quota exceeded"))
    wrapped = RuntimeError("while saving")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert disk.is_full_disk(wrapped)
    assert disk.is_full_disk(OSError("150000 requested and 1024 written"))
    assert disk.is_full_disk(RuntimeError("I/O error: No space left on device (os error 28)"))
    assert not disk.is_full_disk(FileNotFoundError(errno.ENOENT, "No such file"))
    assert not disk.is_full_disk(ValueError("os error 2"))
    assert not disk.is_full_disk(None)
    loop = ValueError("a")
    loop.__context__ = loop
    assert not disk.is_full_disk(loop)


def test_a_full_disk_elsewhere_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(OutgrowError) as caught, store.create(KEY, RECORD):
        raise OSError(errno.EDQUOT, "Disk quota exceeded", "/elsewhere/model.bin")
    assert str(caught.value).startswith("/elsewhere: the disk quota is used up")


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_is_no_store(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="a store is a folder"):
        Store(tmp_path / place)


def test_a_folder_of_other_things_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match=r"holds 'thesis.tex'"):
        Store(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_and_a_fresh_disk_may_become_a_store(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".store.json-left").write_text("")
    put(Store(tmp_path))
    assert Store(tmp_path).open(KEY) is not None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"layout": 2}', "layout 2 and this version of outgrow knows 1; update outgrow"),
        ("{", "not one of a store"),
        ("[]", "not one of a store"),
        ("{}", "not one of a store"),
    ],
)
def test_an_unknown_layout_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "store.json").write_text(text)
    with pytest.raises(UsageError, match=sentence):
        Store(tmp_path)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    store = Store(Path("/proc/no/store"))
    with pytest.raises(OutgrowError, match=r"/proc/no.*cannot be used there.*--store"), store.create(KEY, RECORD):
        pass
    with pytest.raises(OutgrowError, match="cannot be used there"), store.lock():
        pass


def test_a_read_only_store_still_answers(small_disk: Path) -> None:
    put(Store(small_disk / "store"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    store = Store(small_disk / "store")
    assert store.open(KEY) == store.folder(KEY)
    with pytest.raises(OutgrowError, match="Read-only file system"), store.create(OTHER, RECORD):
        pass


def test_small_files_of_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read_json("rates.json") is None
    store.write_json("rates.json", {"head": 1.5})
    assert store.read_json("rates.json") == {"head": 1.5}
    (tmp_path / "rates.json").write_text("{")
    assert store.read_json("rates.json") is None
    assert leftovers(store) == []


@settings(max_examples=15, deadline=None)
@given(
    params=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    data=st.binary(max_size=200),
)
def test_any_parameters_and_bytes_come_back(tmp_path_factory: pytest.TempPathFactory, params, data: bytes) -> None:
    root = tmp_path_factory.mktemp("store")
    with Store(root).create(KEY, {"params": params}) as folder:
        (folder / "data").write_bytes(data)
    store = Store(root)
    folder = store.open(KEY)
    assert folder is not None
    assert (folder / "data").read_bytes() == data
    assert canonical_json(store.meta(KEY)["params"]) == canonical_json(params)
