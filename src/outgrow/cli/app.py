"""The commands, thin: parse, call, print."""

import os
import signal
import sys
from collections.abc import Sequence
from copy import copy
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from outgrow.cli import questions as cli_question
from outgrow.cli import report as cli_report
from outgrow.cli import results as cli_read
from outgrow.cli import sealed as cli_sealed
from outgrow.cli import teach as cli_student
from outgrow.cli.options import (
    AddressOption,
    DeviceOption,
    ExecutorOption,
    JobsOption,
    QuietOption,
    StoreOption,
    ThreadsOption,
)
from outgrow.cli.printing import console_of, say
from outgrow.core import garbage

if TYPE_CHECKING:
    from outgrow.execution.machine import Machine
    from outgrow.execution.store import Store
    from outgrow.experiment.live_page import Board
    from outgrow.experiment.spec.schema import Experiment


app = typer.Typer(
    help="Weak-to-strong generalization that can be trusted: a weak supervisor's labels teach a strong student, "
    "and outgrow measures how much of the gap is recovered.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ExperimentFile = Annotated[Path, typer.Argument(metavar="EXPERIMENT.YAML", help="What to run; the README shows one.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="The run folder. [default: runs/<name>]")]


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        say(f"outgrow {version('outgrow')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """What all commands have in common."""


@app.command(short_help="Run an experiment and print what came out.")
def run(
    experiment: ExperimentFile,
    store: StoreOption = None,
    out: OutOption = None,
    jobs: JobsOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    checkpoint_every: Annotated[
        float | None,
        typer.Option(
            "--checkpoint-every",
            min=0,
            max=1_000_000,
            help="Minutes between saved states of a finetuning, to resume it if killed.",
        ),
    ] = None,
    executor: ExecutorOption = None,
    address: AddressOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and end.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Serve a page, to this machine alone, that follows it.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Run an experiment: make what is missing, write the run folder and its report, print the cells."""
    from outgrow.execution.machine import Machine
    from outgrow.experiment.spec.resolve import read_experiment

    asked = read_experiment(experiment)
    machine = Machine(jobs, threads, device, checkpoint_every, executor, address)
    if dry_run:
        _print_plan(asked, _store(store), machine)
        return
    if not watch:
        _run_and_print(asked, store, out, machine, quiet=quiet)
        return
    from outgrow.experiment.live_page import Board, serve

    board = Board(asked.name)
    with serve(board) as page:
        say(f"follow the run at {page}", error=True)
        _run_and_print(asked, store, out, machine, board, quiet=quiet)


@app.command(short_help="Say which steps are done, which are new, and how long they take.")
def plan(
    experiment: ExperimentFile,
    store: StoreOption = None,
    jobs: JobsOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    rates: Annotated[
        str | None, typer.Option("--rates", help="Estimate on paper for an accelerator: a100, h100 or h200.")
    ] = None,
) -> None:
    """Say which steps an experiment takes, which are done, and about how long the rest needs."""
    from outgrow.execution.machine import Machine
    from outgrow.experiment.spec.resolve import read_experiment

    _print_plan(read_experiment(experiment), _store(store), Machine(jobs, threads, device), rates)


@app.command(short_help="See it on real models and data, offline, in about a minute.")
def demo(
    store: StoreOption = None,
    out: OutOption = None,
    jobs: JobsOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
) -> None:
    """Weak-to-strong generalization on real models and data, offline, in about a minute."""
    from importlib.resources import as_file, files

    from outgrow.execution.machine import Machine
    from outgrow.experiment.spec.schema import Experiment

    with as_file(files("outgrow") / "experiment" / "demo.yaml") as path:
        asked = Experiment.read(path)
    _run_and_print(asked, store, out, Machine(jobs, threads, device), quiet=quiet)


app.command(short_help="Print a run's cells and what came out.")(cli_read.show)
app.command(short_help="Write the report of one run or of several.")(cli_report.report)
app.command(short_help="Teach a student by cheap labels, and say how good it is.")(cli_student.teach)
app.command(short_help="Label the rows of a file by a student.")(cli_student.predict)
app.command(short_help="Rank labels by how likely they are wrong.")(cli_question.audit)
app.command(short_help="Estimate class shares and accuracies over a file.")(cli_question.estimate)
app.command("next", short_help="Draw the rows to label next.")(cli_question.next_)
app.command(short_help="Join the labels of voters or rules.")(cli_question.join)
app.command(short_help="Compare methods, supervisors, students or tasks.")(cli_read.compare)
app.command(short_help="The same statistics for results of other programs.")(cli_read.score)
app.command(short_help="Write a task without its truth, to score answers fairly.")(cli_sealed.seal)


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(metavar="tasks|models|methods", help="What to list.")],
) -> None:
    """List what an experiment can name."""
    from outgrow.cli.listing import catalogue

    console = console_of(sys.stdout)
    console.print(catalogue(what))


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="PATH.PY:NAME", help="A task, model or method of your own.")],
) -> None:
    """Check a task, model or method of your own against its contract."""
    from outgrow.cli.check_plugin import check as held

    for line in held(name):
        say(line)


@app.command(short_help="Write a plug-in of your own to start from, with its test.")
def new(
    kind: Annotated[str, typer.Argument(metavar="method|model|task|metric", help="What to write.")],
    path: Annotated[Path, typer.Argument(metavar="PATH.PY", help="The file to write; its test goes beside it.")],
) -> None:
    """Write a method, model, task or metric of your own to start from: a working example with its test."""
    from outgrow.cli.new_plugin import new as write

    for line in write(kind, path):
        say(line)


@app.command()
def prune(
    older_than: Annotated[str | None, typer.Option("--older-than", help="Not used for so long: 12h, 30d, 8w.")] = None,
    larger_than: Annotated[
        str | None, typer.Option("--larger-than", help="Least recently used first, down to a size: 500MB, 20GB.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Remove results from the store, by age or size. Run folders need nothing of it."""
    from outgrow.core.errors import UsageError
    from outgrow.core.text.units import duration, shown_size, size

    if older_than is None and larger_than is None:
        raise UsageError("prune: say what may go: --older-than 30d, --larger-than 20GB, or both")
    place = _store(store)
    pruned = place.prune(
        older_than=None if older_than is None else duration(older_than),
        max_bytes=None if larger_than is None else size(larger_than),
    )
    states = f" and {pruned.states} states of unfinished trainings" if pruned.states else ""
    say(f"removed {len(pruned.keys)} results{states}, {shown_size(pruned.bytes)}, from {place.root}")


def _store(path: Path | None) -> "Store":
    from outgrow.core.files import disk
    from outgrow.execution.store import Store, default_store

    return Store(disk.home(path) if path is not None else default_store())


def _run_and_print(
    asked: "Experiment",
    store: Path | None,
    out: Path | None,
    machine: "Machine",
    board: "Board | None" = None,
    *,
    quiet: bool,
) -> None:
    from outgrow.execution.progress import display
    from outgrow.experiment.live_page import Listening
    from outgrow.experiment.pipeline import run as run_experiment

    with display(quiet=quiet) as shown:
        listening = shown if board is None else Listening(board, shown)
        results = run_experiment(
            asked, store=_store(store), out=out, machine=machine, display=listening, observer=board
        )
    if quiet:
        return
    cli_read.print_results(results)
    folder = out or Path("runs") / asked.name
    say(f"\nThe run folder is {folder}: report.html to look at, results.json, predictions.parquet and more.")


def _print_plan(asked: "Experiment", store: "Store", machine: "Machine", rates: str | None = None) -> None:
    from outgrow.experiment.forecast import forecast

    console = console_of(sys.stdout)
    for part in forecast(asked, store, machine, rates):
        console.print(part)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    from outgrow.core.errors import Stopped

    raise Stopped(128 + number)


def entry() -> None:
    """The `outgrow` command: a sentence and an exit code for what goes wrong, no traceback unless --debug."""
    garbage.search_rarely()
    debug = "--debug" in sys.argv[1:]  # wherever it stands: users append it to the command that failed
    # A signal that is ignored at the start (nohup, a shell's background) stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _stop)
    # A closed stream is None: what is printed goes nowhere, as with Python's own print.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):  # a terminal without a character gets its number, not an error
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = answer([word for word in sys.argv[1:] if word != "--debug"], debug=debug)
    garbage.none_at_end()
    sys.exit(code)


def _named(words: Sequence[str]) -> typer.Typer:
    """The app with only the command that the line names, where it begins with one: typer reads the options of all it has."""
    named = [
        one for one in app.registered_commands if [one.name or getattr(one.callback, "__name__", "")] == [*words[:1]]
    ]
    if not named:
        return app
    alone = copy(app)
    alone.registered_commands = named
    return alone


def answer(words: Sequence[str], *, debug: bool = False) -> int:
    """Carry out a command line and print what there is to say of its end; the exit code. debug: errors pass."""
    from outgrow.cli.failures import explain

    try:
        code = _named(words)(list(words), standalone_mode=False)
        sys.stdout.flush()
        if code == 130:  # typer's word for a KeyboardInterrupt; Ctrl-C itself raises Stopped
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except SystemExit as end:
        if "_OUTGROW_COMPLETE" not in os.environ and not {"--show-completion", "--install-completion"} & set(words):
            return explain(end)
        return end.code if isinstance(end.code, int) else 0  # which is how typer ends the completion of a word
    except BaseException as error:
        if debug and isinstance(error, Exception) and not isinstance(error, BrokenPipeError):
            raise
        return explain(error)
