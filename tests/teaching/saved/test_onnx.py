"""`outgrow teach --onnx`: by onnxruntime and the card's own code, the graph gives what `outgrow predict` gives."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from taught import make_files, read, write

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.execution.machine import Machine
from outgrow.models.contract import LinearHead
from outgrow.models.heads import onnx_graph
from outgrow.teaching.options import learner, student_spec
from outgrow.teaching.saved.saved_student import load
from outgrow.teaching.students import no_progress
from outgrow.teaching.teach_files import teach_files

pytestmark = pytest.mark.usefixtures("one_thread")
ABSENT = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
exports = pytest.mark.skipif(bool(ABSENT), reason="needs outgrow[onnx]")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_files(tmp_path_factory.mktemp("files"))
    write(folder / "labels.csv", ["text", "rule", "model", "person"], read(folder / "labels.csv")[:80])
    return folder


def teach(files: Path, out: Path, student: Any, **options: Any) -> list[str]:
    """A student with its graph; the texts that it learned."""
    machine = Machine(threads=1, device="cpu")
    given = {"text": "text", "columns": ["person"], "store": out.parent / "store", "machine": machine, **options}
    teach_files(files / "labels.csv", out=out, student=student, onnx=True, **given)
    return [row[0] for row in read(files / "labels.csv")]


@pytest.mark.slow
@exports
@pytest.mark.parametrize(
    "family",
    ["bert", pytest.param("mpnet", marks=pytest.mark.slow), pytest.param("minilm", marks=pytest.mark.slow)],
)
def test_the_cards_code_gives_the_same_probabilities(files: Path, tmp_path: Path, family: str) -> None:
    """Of one text, of several, and of texts that are longer than is read."""
    tiny = family in tiny_models.FAMILIES
    body = str(tiny_models.make(family, tmp_path / family, initializer_range=0.3)) if tiny else family
    texts = teach(files, tmp_path / "student", {"probe": body})
    graph = tmp_path / "student" / "onnx" / "model.onnx"
    assert not any(place in graph.read_bytes() for place in (b"site-packages", b"/outgrow/", str(tmp_path).encode()))
    (code,) = re.findall(r"alone:\n\n```python\n(.*?)```", (tmp_path / "student" / "README.md").read_text(), re.DOTALL)
    ours = load(tmp_path / "student").student.reader("cpu")
    for some in (texts[:1], texts[3:9], [texts[0], " ".join(texts[:40]), texts[1]]):
        told: dict[str, Any] = {"folder": str(tmp_path / "student"), "texts": some}
        exec(code, told)
        np.testing.assert_allclose(told["probabilities"], ours(some, no_progress), atol=1e-4)
    assert np.ptp(ours(texts, no_progress)[:, 1]) > 0.05


@exports
@pytest.mark.slow
@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_causal_model_is_read_at_its_last_token(tmp_path: Path, family: str) -> None:
    import onnxruntime

    found = learner(student_spec({"probe": str(tiny_models.make(family, tmp_path / family, initializer_range=0.3))}))
    model, random = found.spec.options, np.random.default_rng(0)
    weight, bias = random.normal(size=(16, 3)).astype(np.float32), random.normal(size=3).astype(np.float32)
    model.write_onnx(tmp_path / "model.onnx", found.location, LinearHead(weight, bias, 4.0))
    values = model.features(tiny_models.TEXTS, found.location, "cpu", no_progress).values
    expected = 4 * values / np.linalg.norm(values, axis=1, keepdims=True) @ weight + bias
    ids = model.open(found.location).tokenizer(tiny_models.TEXTS)["input_ids"]
    padded, mask = np.zeros((2, len(ids), max(map(len, ids))), dtype=np.int64)
    for row, one in enumerate(ids):
        padded[row, : len(one)], mask[row, : len(one)] = one, 1
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    (logits,) = session.run(["logits"], {"input_ids": padded, "attention_mask": mask})
    np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize(
    "student", ["static:wordllama", {"finetune": "minilm"}, {"probe": "minilm", "precision": "bf16"}]
)
def test_other_students_are_refused_before_any_work(files: Path, tmp_path: Path, student: Any) -> None:
    with pytest.raises(
        UsageError, match="--onnx: a graph is written of heads on transformers that read texts, in float32"
    ):
        teach(files, tmp_path / "student", student)
    assert not list((tmp_path / "store").glob("objects/*/*/head.safetensors"))


def test_a_missing_package_is_named(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_graph, "PACKAGES", ("onnx_that_is_not_there",))
    with pytest.raises(UsageError) as error:
        teach(files, tmp_path / "student", "minilm")
    assert error.value.problems == (
        "--onnx: onnx_that_is_not_there must be installed for it: pip install 'outgrow[onnx]'",
    )


def test_what_cannot_be_exported_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    def fails(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("no operator aten::strange")

    monkeypatch.setattr(torch.onnx, "export", fails)
    found = learner(student_spec({"probe": str(tiny_models.make("bert", tmp_path / "bert"))}))
    head = LinearHead(np.zeros((16, 2), np.float32), np.zeros(2, np.float32), 4.0)
    with pytest.raises(OutgrowError, match="torch cannot write this model as an ONNX graph; leave --onnx out"):
        found.spec.options.write_onnx(tmp_path / "model.onnx", found.location, head)
