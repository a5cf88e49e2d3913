"""Students that are trained and saved."""

from pathlib import Path

import numpy as np

from outgrow.methods.losses import Naive
from outgrow.models.heads.solver import Problem, Solver, predict, solve
from outgrow.teaching.options import learner, student_spec
from outgrow.teaching.saved.saved_student import save
from outgrow.teaching.students import HeadStudent, no_progress

TEXTS = [
    "A wonderful little film, and the acting is superb.",
    "Terrible service; we waited an hour.",
    "ok",
    "The battery died after two days and nobody answered my mails about it, which I find rather poor.",
    "Crème brûlée 🍮, and a café nearby!",
    "It is what it is " * 40,
]


ABOUT = {
    "text": "text",
    "model": {"name": "x", "hub": None, "fingerprint": "", "licence": None, "options": {}},
    "made": {"labels": ["rule"], "form": "classes", "method": "naive", "l2": 0.03, "seed": 0, "environment": {}},
    "numbers": {
        "taught": 6,
        "careful": 0,
        "mixed": False,
        "corrections": 0,
        "joined_by": None,
        "joins": [],
        "method": "naive",
        "agreement": 0.5,
        "student_accuracy": None,
        "cheap_accuracy": None,
        "tried": [],
        "voters": {},
        "notes": [],
    },
}


def taught(written: object, classes: int = 3) -> tuple[HeadStudent, np.ndarray]:
    """A student that learned the texts as classes 0, 1, 2, 0, …, and its probabilities on them."""
    found = learner(student_spec(written))
    options, location = found.spec.options, found.location
    values = options.features(TEXTS, location, "cpu", no_progress).values
    rows = np.arange(len(TEXTS))
    targets = np.eye(classes, dtype=np.float32)[rows % classes]
    solver = Solver(options.steps, options.lr)
    (head,) = solve(values, [Problem(rows, targets, None, Naive(), options.l2, 0)], solver)
    return HeadStudent(options, location, head, solver.norm, found.spec.member.identity), predict(values, head, solver)


def saved(out: Path, written: object, classes: int = 3) -> np.ndarray:
    student, probabilities = taught(written, classes)
    save(out, student, {"classes": [f"class {place}" for place in range(classes)], **ABOUT})
    return probabilities


def tiny_table(folder: Path) -> None:
    """Static embeddings of the words in `TEXTS`, as a checkpoint."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = sorted({word for text in TEXTS for word in text.lower().split()})
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(["?", *words])}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    table = np.random.default_rng(0).normal(size=(len(words) + 1, 16)).astype(np.float32)
    save_file({"embeddings": table}, folder / "model.safetensors")
