"""`outgrow seal`, and what `outgrow score --sealed` prints."""

import json as json_
from pathlib import Path
from typing import Annotated

import typer

from outgrow.cli.options import DeviceOption, JobsOption, QuietOption, StoreOption, ThreadsOption
from outgrow.cli.printing import say, say_json
from outgrow.core.text.units import plural


def seal(
    experiment: Annotated[
        Path, typer.Argument(metavar="EXPERIMENT.YAML", help="One task, supervisor, student, method.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The new folder to give away.")],
    key: Annotated[Path, typer.Option("--key", help="The new folder to keep: the truth, the ledger.")],
    threshold: Annotated[
        float,
        typer.Option("--threshold", min=0, max=1, help="How far the halves may differ before the holdout is used."),
    ] = 0.03,
    noise: Annotated[
        float, typer.Option("--noise", min=0.0001, max=1, help="The scale of the holdout's noise.")
    ] = 0.005,
    budget: Annotated[int, typer.Option("--budget", min=1, max=1_000_000, help="How often it answers itself.")] = 100,
    store: StoreOption = None,
    jobs: JobsOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Write a task for others to train on, without its truth, and the sealed part that scores their answers."""
    from outgrow.core.files import disk
    from outgrow.execution.machine import Machine
    from outgrow.execution.progress import display
    from outgrow.execution.store import Store, default_store
    from outgrow.experiment.seal import seal as write
    from outgrow.experiment.spec.resolve import read_experiment
    from outgrow.results.sealed.attempts import Threshold

    kept = Store(disk.home(store) if store is not None else default_store())
    asked = read_experiment(experiment)
    with display(quiet=quiet) as shown:
        found = write(
            asked, kept, out, key, Machine(jobs, threads, device), shown, rule=Threshold(threshold, noise, budget)
        )
    if not quiet:
        say(f"{out}: transfer.parquet, test.parquet, manifest.json and README.md, to give away")
        say(f"{key}: the sealed part, SHA-256 {found}; keep it where nobody who submits can read or write")


def score_sealed(folder: Path, answers: Path, *, json: bool) -> None:
    """Print what a submission scores, corrected for how many there were."""
    from outgrow.results.sealed.submit import sentences, submit

    found = submit(folder, answers)
    if json:
        say_json(json_.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        for line in sentences(found):
            say(line)


def serve_sealed(folder: Path) -> None:
    """Take answers over HTTP until Ctrl-C, and print what each submission scores."""
    from threading import Event

    from outgrow.core.errors import Stopped
    from outgrow.core.files import disk
    from outgrow.core.local_server import serve
    from outgrow.results.sealed import ledger
    from outgrow.results.sealed.envelope import read_envelope
    from outgrow.results.sealed.serve import service
    from outgrow.results.sealed.submit import sentences

    sealed = read_envelope(folder)
    with disk.locked(folder / "lock", exclusive=True, wait=True):
        book = ledger.read(folder, sealed.hash)  # what is damaged is reported before anybody hands in
    with serve(service(folder, lambda found: say("\n".join(sentences(dict(found)))))) as address:
        say(f"answers are taken at {address} until Ctrl-C; the ledger has {plural(len(book.lines), 'submission')}")
        say(f"curl --data-binary @answers.parquet {address}")
        try:
            Event().wait()
        except Stopped:
            say("no more answers are taken; the ledger has all that were scored", error=True)
