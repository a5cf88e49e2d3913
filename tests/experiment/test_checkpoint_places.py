"""A checkpoint is found by its content on another machine than the one that planned, or not taken."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from outgrow.core.errors import OutgrowError
from outgrow.execution.step import Context, Job
from outgrow.experiment.steps.models.checkpoint import checkpoint
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.contract import Location


def found(location: Location, *, elsewhere: bool) -> Location:
    job = Job(Path(), {"fingerprint": location.fingerprint, "model": {"name": "static"}}, {})
    return checkpoint(job, Context(sources={location.fingerprint: asdict(location)}, elsewhere=elsewhere))


def test_where_it_was_planned_nothing_is_looked_up() -> None:
    gone = Location("wordllama", "/nowhere", None, None, "ab" * 32, 1)
    assert found(gone, elsewhere=False) == gone
    hub = Location("owner/name", None, "owner/name", "abc", "abc", 1)
    assert found(hub, elsewhere=True) == hub


def test_elsewhere_the_path_counts_if_its_content_is_the_same_and_then_the_name(tmp_path: Path) -> None:
    here = resolve("wordllama", "static")
    assert found(here, elsewhere=True) == here
    assert found(replace(here, path="/nowhere"), elsewhere=True) == here, "another machine has installed it elsewhere"
    copy = tmp_path / "copy"
    shutil.copytree(str(here.path), copy)
    assert found(replace(here, name="mine", path=str(copy)), elsewhere=True).path == str(copy)


def test_other_content_under_the_same_path_is_refused(tmp_path: Path) -> None:
    here = resolve("wordllama", "static")
    other = replace(here, name=str(here.path), fingerprint="cd" * 32)
    with pytest.raises(OutgrowError, match="this node has no checkpoint of the same content, neither at"):
        found(other, elsewhere=True)
