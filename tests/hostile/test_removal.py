"""What removes or replaces files touches nothing but its own: on decoys, with the rest of the disk read-only."""

import os
import stat
import sys
from pathlib import Path

import pytest
from hostile import confined

from outgrow.core.errors import OutgrowError
from outgrow.core.files import disk
from outgrow.core.files.streams import writer
from outgrow.execution.store import Store

KEY = "ab" * 32
PRUNE = """
from outgrow.execution.store import Store
from pathlib import Path
for name in {stores!r}:
    found = Store(Path(name)).prune(older_than=0.0, max_bytes=0)
    print(name, len(found.keys) + found.states)
"""


def decoy(folder: Path, name: str) -> Path:
    """A folder with a file that nobody may remove, old enough for anything."""
    made = folder / name
    (made / KEY).mkdir(parents=True)
    for place in (made / "precious", made / KEY / "artifact.json"):
        place.write_text("mine")
        os.utime(place, (0, 0))
    return made


def store(folder: Path, name: str) -> Path:
    root = folder / name
    for part in ("objects", "tmp", "damaged", "halfway"):
        (root / part).mkdir(parents=True)
    (root / "store.json").write_text('{"layout": 1}')
    return root


def test_prune_follows_no_link_and_takes_no_other_name(tmp_path: Path) -> None:
    mine, names = decoy(tmp_path, "decoy"), []

    def case(name: str) -> Path:
        names.append(name)
        return store(tmp_path, name)

    (case("shelf") / "objects" / "ab").symlink_to(mine)
    (case("result") / "objects" / "ab").mkdir()
    (tmp_path / "result" / "objects" / "ab" / KEY).symlink_to(mine / KEY)
    for part in ("objects", "damaged", "halfway", "tmp"):
        os.rmdir(case(f"whole-{part}") / part)
        (tmp_path / f"whole-{part}" / part).symlink_to(mine)
    (case("damaged") / "damaged" / f"{KEY}-{'0' * 32}").symlink_to(mine)
    (case("halfway") / "halfway" / KEY).symlink_to(mine / "precious")
    (case("left") / "tmp" / f"node.1-99999999-{'0' * 32}").symlink_to(mine)
    others = case("others")
    kept = [others / "objects" / "notes", others / "objects" / "ab" / "mine", others / "damaged" / "photos"]
    kept += [others / "tmp" / "thesis", others / "objects" / "cd" / KEY, others / "halfway" / "diary"]
    for folder in kept:
        folder.mkdir(parents=True)
        (folder / "file").write_text("mine")
        os.utime(folder / "file", (0, 0))
        os.utime(folder, (0, 0))
    ran = confined(tmp_path, sys.executable, "-c", PRUNE.format(stores=names))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == [word for name in names for word in (name, "0")]
    assert sorted(path.name for path in mine.rglob("*")) == sorted([KEY, "precious", "artifact.json"])
    assert all((folder / "file").read_text() == "mine" for folder in kept)


def test_prune_removes_its_own(tmp_path: Path) -> None:
    root = store(tmp_path, "st")
    (root / "objects" / "ab" / KEY).mkdir(parents=True)
    (root / "objects" / "ab" / KEY / "data").write_text("old")
    (root / "damaged" / f"{KEY}-{'0' * 32}").mkdir()
    (root / "halfway" / KEY).write_text("half")
    ran = confined(tmp_path, sys.executable, "-c", PRUNE.format(stores=["st"]))
    assert ran.stdout.split() == ["st", "2"], ran.stderr
    assert [len(disk.entries(root / part)) for part in ("damaged", "halfway", "tmp")] == [0, 0, 0]
    assert disk.entries(root / "objects" / "ab") == []


def test_a_folder_without_its_record_is_as_old_as_it_is(tmp_path: Path) -> None:
    root = store(tmp_path, "st")
    (root / "objects" / "ab" / KEY).mkdir(parents=True)
    assert Store(root).prune(older_than=3600.0).keys == ()


def test_what_is_swept_has_the_name_of_a_temporary_file(tmp_path: Path) -> None:
    kept = [".notes.backup", ".notes.old-1-2", ".notes.", ".notes.a-1-b", ".notes.x-notes-" + "0" * 32]
    for name in kept:
        (tmp_path / name).write_text("mine")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / f".notes.far.1-7-{'0' * 32}").write_text("left behind")
    os.utime(tmp_path / f".notes.far.1-7-{'0' * 32}", (0, 0))
    disk.sweep(tmp_path, ".notes.")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_what_is_written_replaces_files_alone(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("new")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "full").symlink_to("/dev/full")
    for name, target in (("real", "real"), ("link", "real"), ("dangling", "new"), ("fresh", "fresh")):
        with disk.replacing(tmp_path / name) as new:
            new.write_text(name)
        assert (tmp_path / target).read_text() == name
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "dangling").is_symlink()
    for name in ("folder", "pipe", "full", "/dev/null"):
        with pytest.raises(OutgrowError, match="is not replaced by a file"), disk.replacing(tmp_path / name):
            pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_predictions_go_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "out.csv").symlink_to("real.csv")
    with writer(str(tmp_path / "out.csv"), "in.csv") as append:
        append({"a": [1]})
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "a\n1\n"


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o002, 0o077])
def test_files_get_the_permissions_that_the_umask_gives(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / "below").mkdir(mode=0o700)
        (tmp_path / "made" / "below" / "weights").touch(mode=0o600)
    finally:
        os.umask(before)
    disk.flush_tree(tmp_path / "made")
    assert stat.S_IMODE((tmp_path / "made" / "below").stat().st_mode) == 0o777 & ~umask
    assert stat.S_IMODE((tmp_path / "made" / "below" / "weights").stat().st_mode) == 0o666 & ~umask
