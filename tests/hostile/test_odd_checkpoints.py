"""Checkpoint folders that would read a pickle, a file outside themselves or a part that is not there: refused first."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from safetensors.numpy import save_file

from outgrow.core.errors import OutgrowError
from outgrow.execution.step import Context, Job
from outgrow.experiment.steps.models.checkpoint import with_checkpoints
from outgrow.models.checkpoints.headers import headers
from outgrow.models.checkpoints.locate import resolve
from outgrow.models.checkpoints.safe_folder import check_folder
from outgrow.models.checkpoints.tokens import read_texts
from outgrow.models.checkpoints.weight_files import folder_of, verify
from outgrow.models.contract import Location
from outgrow.models.heads.probe import Probe

pytestmark = pytest.mark.usefixtures("in_time")

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 90868376\n"
CONFIG = {"model_type": "bert", "architectures": ["BertModel"], "num_hidden_layers": 2, "hidden_size": 8}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a checkpoint as they are found, with two shards."""
    made = tmp_path / "checkpoint"
    made.mkdir()
    write(made, "config.json", CONFIG)
    write(made, "tokenizer.json", {"model": {}})
    for name in ("a", "b"):
        save_file({name: np.ones((2, 3), np.float32)}, made / f"{name}.safetensors")
    write(made, "model.safetensors.index.json", {"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}})
    return made


def write(folder: Path, name: str, value: Any) -> None:
    (folder / name).write_text(value if isinstance(value, str) else json.dumps(value))


def shards(*names: Any) -> Callable[[Path], None]:
    """Let the index name these files."""
    return lambda at: write(
        at, "model.safetensors.index.json", {"weight_map": {str(n): x for n, x in enumerate(names)}}
    )


def config(**changes: Any) -> Callable[[Path], None]:
    return lambda at: write(at, "config.json", {**CONFIG, **changes})


CASES: list[tuple[str, Callable[[Path], Any], str]] = [
    ("a pickled shard", shards("a.safetensors", "weights.bin"), "only safetensors are loaded, never pickles"),
    ("a pickle of another ending", shards("weights.pt"), "never pickles"),
    ("a pickle in capitals", shards("weights.BIN"), "never pickles"),
    ("a shard above", shards("../b.safetensors"), "not a file of the folder itself"),
    ("a shard below", shards("below/b.safetensors"), "not a file of the folder itself"),
    ("an absolute shard", shards("/etc/b.safetensors"), "not a file of the folder itself"),
    ("a hidden shard", shards(".b.safetensors"), "not a file of the folder itself"),
    ("a shard with a backslash", shards("..\\b.safetensors"), "not a file of the folder itself"),
    ("a shard that is a list", shards(["a.safetensors"]), "only safetensors"),
    ("a missing shard", lambda at: (at / "b.safetensors").unlink(), "names the shard b.safetensors, which is not in"),
    ("no weight_map", lambda at: write(at, "model.safetensors.index.json", {}), "no weight_map"),
    ("a list as index", lambda at: write(at, "model.safetensors.index.json", []), "not a JSON object"),
    ("a broken index", lambda at: write(at, "model.safetensors.index.json", "{"), "cannot be read as JSON"),
    ("another index", lambda at: write(at, "x.index.json", {"weight_map": {"a": "x.bin"}}), "never pickles"),
    ("weights of the config's own", config(transformers_weights="sub/x.safetensors"), "not a file of the folder"),
    ("pickled weights of the config's own", config(transformers_weights="adapter_model.bin"), "never pickles"),
    ("a pointer to weights", lambda at: write(at, "a.safetensors", POINTER), "a.safetensors: is a Git LFS pointer"),
    ("a pointer to a tokenizer", lambda at: write(at, "tokenizer.json", POINTER), "git lfs pull"),
    ("a config that is a list", lambda at: write(at, "config.json", [1]), "not a JSON object"),
    ("a config that is a number", lambda at: write(at, "config.json", "5"), "not a JSON object"),
    ("a config that is nothing", lambda at: write(at, "config.json", ""), "cannot be read as JSON"),
    ("a config with NaN", lambda at: write(at, "config.json", '{"x": NaN}'), "NaN"),
    ("a config nested deeply", lambda at: write(at, "config.json", '{"x":' + "[" * 5000 + "]" * 5000 + "}"), "deep"),
    ("a key twice", lambda at: write(at, "config.json", '{"a": 1, "a": 2}'), "twice"),
    ("a million layers", config(num_hidden_layers=10**6), "no model has"),
    ("a width of billions", config(hidden_size=10**10), "no model has"),
    ("minus one layer", config(num_hidden_layers=-1), "no model has"),
    ("a width of text", config(hidden_size="x"), "says hidden_size 'x', which no model has"),
    ("no heads", config(num_attention_heads=0), "no model has"),
    ("a tokenizer's config that is a list", lambda at: write(at, "tokenizer_config.json", []), "not a JSON object"),
    ("special tokens that are nothing", lambda at: write(at, "special_tokens_map.json", "null"), "not a JSON object"),
    ("an architecture that is a number", config(architectures=[1]), "is not text"),
    ("a type that is a list of lists", config(model_type=[["bert"]]), "is not text"),
    ("an adapter", lambda at: write(at, "adapter_config.json", {"base_model_name_or_path": "a/b"}), "PEFT adapter of a/b"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_refused_before_anything_is_loaded(folder: Path, change: Callable[[Path], Any], sentence: str) -> None:
    change(folder)
    for door in (
        lambda: check_folder(folder),
        lambda: folder_of(Location("x", str(folder), None, None, "", 0)),
        lambda: resolve(str(folder), "probe"),
        lambda: resolve(str(folder), "finetune"),
    ):
        with pytest.raises(OutgrowError) as caught:
            door()
        assert sentence in str(caught.value)


def test_a_whole_folder_is_taken(folder: Path) -> None:
    check_folder(folder)
    assert resolve(str(folder), "probe").parameters == 12


@pytest.mark.parametrize("name", ["a.safetensors", "b.safetensors", "config.json", "tokenizer.json"])
def test_a_change_of_any_file_changes_the_fingerprint_and_is_noticed(folder: Path, name: str) -> None:
    found = resolve(str(folder), "probe")
    verify(found)
    content = (folder / name).read_bytes()
    weights = name.endswith(".safetensors")
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if weights else content + b" ")
    assert resolve(str(folder), "probe").fingerprint != found.fingerprint
    with pytest.raises(OutgrowError, match="was changed while the run went on"):
        verify(found)


def test_a_checkpoint_replaced_while_it_is_read_is_noticed(folder: Path) -> None:
    found = resolve(str(folder), "probe")
    context = Context(sources={found.fingerprint: {**vars(found)}})

    def read() -> None:
        for _, location in with_checkpoints([Job(folder, {"fingerprint": found.fingerprint}, {})], context):
            assert location == found
            save_file({"a": np.zeros((2, 3), np.float32)}, folder / "a.safetensors")

    with pytest.raises(OutgrowError, match="was changed while the run went on"):
        read()


HEADERS: list[tuple[str, Any]] = [
    ("no shape", {"a": {"dtype": "F32", "data_offsets": [0, 4]}}),
    ("a shape of text", {"a": {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 4]}}),
    ("a negative shape", {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 4]}}),
    ("a shape of true", {"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}),
    ("no offsets", {"a": {"dtype": "F32", "shape": [2]}}),
    ("one offset", {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}),
    ("more numbers than bytes", {"a": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 16]}}),
    ("fewer numbers than bytes", {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 16]}}),
    ("a list", [1, 2]),
    ("a list as tensor", {"a": [1]}),
]


@pytest.mark.parametrize("header", [case[1] for case in HEADERS], ids=[case[0] for case in HEADERS])
def test_headers_of_no_safetensors_file(tmp_path: Path, header: Any) -> None:
    text = json.dumps(header).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))
    with pytest.raises(OutgrowError, match="is not a safetensors file"):
        headers(tmp_path / "x.safetensors")


def test_bytes_that_no_header_names(tmp_path: Path) -> None:
    text = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))
    with pytest.raises(OutgrowError, match="holds 8 bytes that its header does not name"):
        headers(tmp_path / "x.safetensors")


@pytest.mark.parametrize("data", [b"", b"\0", bytes(8), b"\xff" * 100, struct.pack("<Q", 2**60) + b"{}"])
def test_bytes_of_no_safetensors_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(data)
    with pytest.raises(OutgrowError, match="is not a safetensors file"):
        headers(tmp_path / "x.safetensors")


@pytest.mark.parametrize("kind", ["probe", "finetune"])
@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("tokenizer_config.json", {"model_max_length": 1.5}, "model_max_length 1.5, which is not a number of tokens"),
        ("tokenizer_config.json", {"model_max_length": "abc"}, "'abc', which is not a number of tokens"),
        ("tokenizer_config.json", {"model_max_length": 2}, "leaves no room for a text beside its 2 special ones"),
        ("tokenizer.json", {"outgrown": 77}, "its tokenizer gives token 77, and the model knows 40"),
    ],
)
def test_tokenizers_that_do_not_fit(
    tmp_path: Path, kind: str, name: str, change: dict[str, Any], sentence: str
) -> None:
    folder = tiny_models.make("bert", tmp_path / "bert")
    content = json.loads((folder / name).read_text())
    (content["model"]["vocab"] if name == "tokenizer.json" else content).update(change)
    write(folder, name, content)
    location = resolve(str(folder), kind)
    texts = ["film light", "outgrown film"]
    read: dict[str, Callable[[], Any]] = {
        "probe": lambda: Probe(checkpoint=str(folder)).features(texts, location, "cpu", tiny_models.quiet),
        "finetune": lambda: read_texts(location, texts, max_length=None, chat_template=False),
    }
    with pytest.raises(OutgrowError, match=sentence):
        read[kind]()
