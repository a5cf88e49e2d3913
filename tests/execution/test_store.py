"""The store: whole or absent, damaged things noticed, full disks and wrong folders said in a sentence."""

import hashlib
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from children import python
from stores import KEY, OTHER, RECORD, WEEK, leftovers, put

from outgrow.core.errors import OutgrowError
from outgrow.core.files import disk
from outgrow.execution.store import Store


def test_a_result_is_kept_with_what_describes_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert not store.has(KEY)
    assert store.open(KEY) is None
    assert not store.root.exists(), "asking writes nothing"
    put(store)

    fresh = Store(store.root)
    assert fresh.has(KEY)
    folder = fresh.open(KEY)
    assert folder == store.root / "objects" / KEY[:2] / KEY
    assert (folder / "text.txt").read_text() == "hello"
    meta = fresh.meta(KEY)
    assert {name: meta[name] for name in RECORD} == RECORD
    assert meta["key"] == KEY
    assert meta["files"] == {
        "deep/array.bin": {"bytes": 1000, "sha256": hashlib.sha256(bytes(1000)).hexdigest()},
        "text.txt": {"bytes": 5, "sha256": hashlib.sha256(b"hello").hexdigest()},
    }
    assert json.loads((store.root / "store.json").read_text()) == {"layout": 1}
    assert leftovers(store) == []
    with pytest.raises(OutgrowError, match=r"no readable artifact\.json"):
        fresh.meta(OTHER)


def test_the_record_is_read_when_the_block_ends(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = dict(RECORD)
    with store.create(KEY, record):
        record["seconds"] = 12.5
    assert store.meta(KEY)["seconds"] == 12.5


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def half() -> None:
        with store.create(KEY, RECORD) as folder:
            (folder / "half.txt").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert not store.has(KEY)
    assert leftovers(store) == []


def test_several_results_are_put_in_place_together(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = [f"{number:064d}" for number in range(40)]
    with store.create_all({key: {"params": {"key": key}} for key in keys}) as folders:
        for key, folder in zip(keys, folders, strict=True):
            (folder / "key.txt").write_text(key)
        assert not any(map(store.has, keys))
    for key in keys:
        assert Store(tmp_path).open(key) == store.folder(key)
        assert (store.folder(key) / "key.txt").read_text() == store.meta(key)["params"]["key"] == key
    assert leftovers(store) == []


def test_one_bad_result_does_not_keep_the_others_out(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")

    def three() -> None:
        with store.create_all({KEY: dict(RECORD), OTHER: dict(RECORD), "3" * 64: dict(RECORD)}) as folders:
            (folders[1] / "link").symlink_to(tmp_path)

    with pytest.raises(OutgrowError, match="link: a result may only hold"):
        three()
    assert [store.has(key) for key in (KEY, OTHER, "3" * 64)] == [True, False, True]
    assert leftovers(store) == []


def test_a_link_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(OutgrowError, match="only hold files"), store.create(KEY, RECORD) as folder:
        (folder / "link").symlink_to(tmp_path)
    assert not store.has(KEY)


DAMAGES = {
    "cut": lambda folder: os.truncate(folder / "deep" / "array.bin", 999),
    "grown": lambda folder: (folder / "text.txt").write_text("hello!"),
    "edited": lambda folder: (folder / "text.txt").write_text("hellp"),
    "file gone": lambda folder: (folder / "text.txt").unlink(),
    "file is a folder": lambda folder: ((folder / "text.txt").unlink(), (folder / "text.txt").mkdir()),
    "meta gone": lambda folder: (folder / "artifact.json").unlink(),
    "meta empty": lambda folder: (folder / "artifact.json").write_text(""),
    "meta cut": lambda folder: os.truncate(folder / "artifact.json", 100),
    "meta edited": lambda folder: (folder / "artifact.json").write_text(
        (folder / "artifact.json").read_text().replace('"size": 3', '"size": 4')
    ),
    "meta is a list": lambda folder: (folder / "artifact.json").write_text("[]"),
    "meta is not text": lambda folder: (folder / "artifact.json").write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_noticed_set_aside_and_made_again(tmp_path: Path, damage) -> None:
    folder = put(Store(tmp_path))
    damage(folder)

    said: list[str] = []
    store = Store(tmp_path, said.append)
    assert store.open(KEY) is None
    assert not store.has(KEY)
    assert len(said) == 1
    [aside] = (tmp_path / "damaged").iterdir()
    assert aside.name.startswith(KEY)
    assert str(aside) in said[0]
    assert "will be made again" in said[0]
    put(store)
    assert Store(tmp_path).open(KEY) == folder


def test_a_result_is_read_through_once_a_process(tmp_path: Path) -> None:
    folder = put(Store(tmp_path))
    store = Store(tmp_path)
    assert store.open(KEY) == folder
    (folder / "text.txt").write_text("hellp")
    assert store.open(KEY) == folder
    assert Store(tmp_path).open(KEY) is None


def test_a_result_that_vanishes_is_absent(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = put(store)
    assert store.open(KEY) == folder
    folder.rename(tmp_path / "gone")
    assert store.open(KEY) is None
    put(store, text="again")
    assert (store.folder(KEY) / "text.txt").read_text() == "again"
    assert store.open(KEY) == folder


def test_the_loser_of_a_race_keeps_the_winner(tmp_path: Path) -> None:
    slow, fast = Store(tmp_path), Store(tmp_path)
    with slow.create(KEY, RECORD) as folder:
        (folder / "text.txt").write_text("slow")
        put(fast, text="fast")
    assert (slow.folder(KEY) / "text.txt").read_text() == "fast"
    assert slow.meta(KEY) == fast.meta(KEY)
    assert leftovers(slow) == []


def test_the_loser_of_a_race_replaces_a_damaged_winner(tmp_path: Path) -> None:
    slow = Store(tmp_path)
    with slow.create(KEY, RECORD) as folder:
        (folder / "text.txt").write_text("slow")
        (put(Store(tmp_path), text="fast") / "text.txt").write_text("fost")
    assert (slow.folder(KEY) / "text.txt").read_text() == "slow"
    assert Store(tmp_path).open(KEY) is not None
    assert len(slow.warnings) == 1
    assert leftovers(slow) == []


def test_many_processes_race_for_one_key(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from outgrow.execution.store import Store
        store = Store(Path(sys.argv[1]))
        for number in range(30):
            key = f"{number:02d}" * 32
            with store.create(key, {"kind": "toy"}) as folder:
                (folder / "text.txt").write_text(str(number))
            assert store.open(key) is not None
        print(len(store.warnings))
    """
    racers = [python(code, tmp_path) for _ in range(4)]
    for racer in racers:
        out, err = racer.communicate(timeout=60)
        assert (racer.returncode, out, err) == (0, "0\n", "")
    store = Store(tmp_path)
    for number in range(30):
        folder = store.open(f"{number:02d}" * 32)
        assert folder is not None
        assert (folder / "text.txt").read_text() == str(number)
    assert leftovers(store) == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_store_that_another_process_makes_meanwhile_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """It appears beside the moment at which the folder is listed."""
    real = disk.entries
    other = Store(tmp_path)

    def entries(folder: Path) -> list[Path]:
        monkeypatch.setattr(disk, "entries", real)
        if moment == "before":
            put(other)
        listed = real(folder)
        if moment == "after":
            put(other)
        return listed

    monkeypatch.setattr(disk, "entries", entries)
    assert Store(tmp_path).open(KEY) is not None


def test_what_another_process_made_anew_is_not_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that saw damage and then waited for the lock looks again before it moves anything."""
    store = Store(tmp_path)
    folder = put(store)
    (folder / "text.txt").write_text("hellp")
    late = Store(tmp_path)
    set_aside = late._set_aside

    def slowly(key: str) -> None:
        assert Store(tmp_path).open(key) is None
        put(Store(tmp_path))
        set_aside(key)

    monkeypatch.setattr(late, "_set_aside", slowly)
    assert late.open(KEY) == folder
    assert late.warnings == []
    assert len(list((tmp_path / "damaged").iterdir())) == 1


def test_a_kill_at_any_moment_leaves_whole_results_only(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from outgrow.execution.store import Store
        store = Store(Path(sys.argv[1]))
        print("ready", flush=True)
        for number in range(10**6):
            with store.create(f"{number:064d}", {"kind": "toy"}) as folder:
                for part in range(3):
                    (folder / f"{part}.bin").write_bytes(bytes([number % 256]) * 5000)
    """
    rng = random.Random(0)
    for turn in range(8):
        writer = python(code, tmp_path / str(turn))
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.1))
        os.killpg(writer.pid, signal.SIGKILL)
        writer.communicate()
        store = Store(tmp_path / str(turn))
        made = [path.name for shelf in disk.entries(store.root / "objects") for path in shelf.iterdir()]
        for key in made:
            folder = store.open(key)
            assert folder is not None
            assert {path.name for path in folder.iterdir()} == {"0.bin", "1.bin", "2.bin", "artifact.json"}
        assert store.warnings == []
        store.sweep()
        assert leftovers(store) == []


def test_only_left_behind_folders_are_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store)
    ended = python("")
    ended.communicate()
    here = disk.this_host()

    def temporary(owner: str, age: float) -> str:
        folder = store.root / "tmp" / f"{owner}-{'abcdef01' * 4}"
        folder.mkdir()
        (folder / "half.bin").write_bytes(b"half")
        for path in (folder / "half.bin", folder):
            os.utime(path, (time.time() - age,) * 2)
        return folder.name

    dead = temporary(f"{here}-{ended.pid}", 0)
    living = temporary(f"{here}-{os.getpid()}", 2 * WEEK)
    foreign = temporary(f"node-7.1-{ended.pid}", 0.9 * WEEK)
    foreign_old = temporary(f"node-8.1-{ended.pid}", 1.1 * WEEK)
    foreign_busy = temporary(f"node-9.1-{ended.pid}", 1.1 * WEEK)
    (store.root / "tmp" / foreign_busy / "half.bin").write_bytes(b"more")
    os.utime(store.root / "tmp" / foreign_busy, (time.time() - 1.1 * WEEK,) * 2)

    store.sweep()
    assert set(leftovers(store)) == {living, foreign, foreign_busy}
    assert dead not in leftovers(store)
    assert foreign_old not in leftovers(store)
