"""A Ray cluster whose two nodes share a file system and nothing else: a network namespace and a host name each."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toys
from places import SRC

from outgrow import Machine, run

Inside = Callable[..., subprocess.CompletedProcess[str]]
RAY = Path(sys.executable).with_name("ray")
HEAD, OTHER = "10.231.0.1", "10.231.0.2"
SMALL = ["--object-store-memory", str(80 * 2**20)]


@pytest.fixture
def nodes() -> Iterator[tuple[Inside, Inside]]:
    """How to run a command in each of two namespaces that a cable joins."""
    spaces = [f"outgrow-{end}-{os.getpid()}" for end in "ab"]
    ends = [f"og{end}{os.getpid() % 10**8}" for end in "ab"]

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def inside(space: str) -> Inside:
        environment = {**os.environ, "PYTHONPATH": str(SRC), "RAY_USAGE_STATS_ENABLED": "0", "CUDA_VISIBLE_DEVICES": ""}

        def call(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
            command = ["ip", "netns", "exec", space, "unshare", "-u", "sh", "-c", f'hostname {space}; exec "$@"', "sh"]
            done = subprocess.run([*command, *words], env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0 or not check, done.stdout + done.stderr
            return done

        return call

    if os.geteuid() or not all(map(shutil.which, ("ip", "unshare", "hostname"))):
        pytest.skip("needs root, ip, unshare and hostname to make two network namespaces")
    try:
        for space in spaces:
            ip("netns", "add", space)
        ip("link", "add", ends[0], "netns", spaces[0], "type", "veth", "peer", "name", ends[1], "netns", spaces[1])
        for space, end, address in zip(spaces, ends, (HEAD, OTHER), strict=True):
            ip("-n", space, "addr", "add", f"{address}/24", "dev", end)
            for name in ("lo", end):
                ip("-n", space, "link", "set", name, "up")
        yield inside(spaces[0]), inside(spaces[1])
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine makes no network namespaces: {error.stderr.decode().strip()}")
    finally:
        for space in spaces:
            found = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True, check=False)
            for process in found.stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(process), 9)
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Ray's sockets lie in it, whose paths may have 107 bytes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.slow
def test_steps_are_made_on_the_other_side_of_a_network(
    tmp_path: Path, nodes: tuple[Inside, Inside], short_folder: Path
) -> None:
    """The head has no core to give, so whatever is trained is trained on the other node; the results are the same bytes."""
    head, other = nodes
    experiment = toys.experiment(tmp_path)
    (tmp_path / "x.yaml").write_text(json.dumps(experiment.model_dump(mode="json", exclude_defaults=True)))
    head(
        RAY, "start", "--head", "--node-ip-address", HEAD, "--port", "6379", "--num-cpus", "0",
        "--include-dashboard", "false", "--temp-dir", short_folder, *SMALL,
    )  # fmt: skip
    other(RAY, "start", "--address", f"{HEAD}:6379", "--node-ip-address", OTHER, "--num-cpus", "1", *SMALL)
    command = [sys.executable, "-m", "outgrow", "run", tmp_path / "x.yaml", "--executor", "ray", "--threads", "1"]
    places = ["--store", tmp_path / "there.store", "--out", tmp_path / "there"]
    unreachable = other(*command, *places, "--address", "10.231.0.3:6379", check=False)
    assert unreachable.returncode != 0
    assert "--address 10.231.0.3:6379: no Ray cluster can be used there: " in unreachable.stderr
    head(*command, *places, "--address", f"{HEAD}:6379")
    run(experiment, store=tmp_path / "here.store", out=tmp_path / "here", machine=Machine(1, 1, "cpu"))
    for file in ("results.json", "predictions.parquet", "examples.parquet"):
        assert (tmp_path / "there" / file).read_bytes() == (tmp_path / "here" / file).read_bytes()
