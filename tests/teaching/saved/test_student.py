"""A student's folder: loaded by others with the same probabilities, read back to the bit, and asked about any file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from saved_students import TEXTS, saved

from outgrow.core.errors import OutgrowError, UsageError
from outgrow.teaching.options import learner, student_spec
from outgrow.teaching.saved.saved_student import SCHEMA, load
from outgrow.teaching.saved.sealed import sealed
from outgrow.teaching.students import no_progress

# What somebody without outgrow does.
ALONE = """
import json, sys
texts = json.load(sys.stdin)
from sentence_transformers import SentenceTransformer
import torch
found = []
for folder in sys.argv[1:]:
    logits = SentenceTransformer(folder, device="cpu").encode(texts, convert_to_tensor=True, show_progress_bar=False)
    found.append(torch.softmax(logits, dim=1).tolist())
json.dump(found, sys.stdout)
assert "outgrow" not in sys.modules
"""


STUDENTS: list[object] = [
    "static:wordllama",
    "minilm",
    {"probe": "minilm", "layer": 3},
    {"probe": "minilm", "layer": -1, "pooling": "last", "max_length": 20},
    "a causal model",
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, np.ndarray, np.ndarray]]:
    """Each student's folder, what we say of the texts and of an empty one, and what sentence-transformers alone says."""
    root = tmp_path_factory.mktemp("both")
    folders = [root / str(place) for place in range(len(STUDENTS))]
    ours = []
    for folder, written in zip(folders, STUDENTS, strict=True):
        if written == "a causal model":
            written = {"probe": str(causal_model(root / "gpt"))}
        ours.append(saved(folder, written))
    ran = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:sentence_transformers", "-c", ALONE, *map(str, folders)],
        input=json.dumps([*TEXTS, ""]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return list(zip(folders, ours, map(np.array, json.loads(ran.stdout)), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(STUDENTS)))
def test_sentence_transformers_alone_says_the_same(both: list[tuple[Path, np.ndarray, np.ndarray]], place: int) -> None:
    folder, ours, theirs = both[place]
    assert np.ptp(ours) > 0.2  # not one answer for all
    np.testing.assert_allclose(theirs[:-1], ours, atol=1e-5)
    read = load(folder).student.reader("cpu")
    np.testing.assert_array_equal(read(TEXTS, no_progress), ours)  # read back to the bit
    if STUDENTS[place] != "a causal model":  # which cannot read nothing
        np.testing.assert_allclose(theirs[-1:], read([""], no_progress), atol=1e-5)


def test_a_causal_model_is_read_in_its_middle(both: list[tuple[Path, np.ndarray, np.ndarray]]) -> None:
    about = json.loads((both[-1][0] / "student.json").read_text())
    assert about["reading"] == {"layer": 2, "pooling": "last", "max_length": 64, "norm": 8.0}


def causal_model(folder: Path) -> Path:
    """A tiny GPT-2 with a tokenizer without padding token."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=["<end>"])
    tokenizer.train_from_iterator(TEXTS, trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=400, n_positions=64, n_embd=32, n_layer=4, n_head=2, initializer_range=0.3)
    GPT2Model(config).save_pretrained(folder)
    return folder


def test_no_pickle_and_no_path_in_the_folder(tmp_path: Path, tiny: str) -> None:
    saved(tmp_path / "student", tiny)
    names = {path.suffix for path in (tmp_path / "student").rglob("*") if path.is_file()}
    assert names == {".json", ".md", ".safetensors"}
    text = (tmp_path / "student" / "student.json").read_text() + (tmp_path / "student" / "README.md").read_text()
    assert str(tmp_path) not in text


def test_a_newer_student_replaces_an_older_one_and_nothing_else(tmp_path: Path, tiny: str) -> None:
    saved(tmp_path / "student", tiny, classes=3)
    saved(tmp_path / "student", tiny, classes=2)
    assert load(tmp_path / "student").classes == ("class 0", "class 1")
    assert [path.name for path in tmp_path.iterdir()] == ["student"]

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("all of it")
    with pytest.raises(UsageError, match="other: is a folder with other things in it"):
        saved(tmp_path / "other", tiny)
    assert (tmp_path / "other" / "thesis.tex").read_text() == "all of it"
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="file: is a file; name a folder"):
        saved(tmp_path / "file", tiny)


def test_folders_that_cannot_be_loaded(tmp_path: Path, tiny: str) -> None:
    with pytest.raises(UsageError, match="gone: there is no such folder; `outgrow teach` writes one"):
        load(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"empty: is not a student's folder, as it has no student\.json"):
        load(tmp_path / "empty")

    saved(tmp_path / "student", tiny)
    path = tmp_path / "student" / "student.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, "schema": SCHEMA + 1, "outgrow": "9.1"}))
    with pytest.raises(UsageError, match=r"was written by outgrow 9\.1, in a form that this one .* does not know"):
        load(tmp_path / "student")
    path.write_text(json.dumps(sealed(path.parent, {**about, "kind": "oracle"})))
    with pytest.raises(UsageError, match="a student of the kind 'oracle', which this outgrow cannot load"):
        load(tmp_path / "student")
    for damage in (
        {**about, "classes": ["0", "1"]},
        {**about, "reading": {}},
        {**about, "reading": {"norm": 8, "a": 1}},
    ):
        path.write_text(json.dumps(damage))
        with pytest.raises(OutgrowError, match=r"student\.json: was changed after the student was saved"):
            load(tmp_path / "student")
        path.write_text(json.dumps(sealed(path.parent, damage)))
        with pytest.raises(OutgrowError, match=r"its student\.json does not fit the rest; copy the folder again"):
            load(tmp_path / "student")
    path.write_text(json.dumps(about)[:100])
    with pytest.raises(OutgrowError, match=r"student\.json: cannot be read; copy the student's folder again"):
        load(tmp_path / "student")
    path.write_text(json.dumps(about))
    (tmp_path / "student" / "2_Dense" / "model.safetensors").write_bytes(b"")
    with pytest.raises(OutgrowError, match=r"2_Dense/model\.safetensors: was changed after the student was saved"):
        load(tmp_path / "student")
    path.write_text(json.dumps(sealed(path.parent, about)))
    with pytest.raises(OutgrowError, match="2_Dense: the head cannot be read"):
        load(tmp_path / "student")


def test_a_model_that_cannot_be_saved_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from outgrow import FeatureModel\n\n\nclass Feat(FeatureModel):\n"
        "    def features(self, inputs, location, device, progress):\n        raise AssertionError\n"
    )
    for written in ({f"{plugin}:Feat": "minilm"}, {"majority": {}}, {"prompt": "smollm2"}):
        with pytest.raises(UsageError, match="cannot be a saved student"):
            learner(student_spec(written))
