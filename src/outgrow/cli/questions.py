"""The commands that answer questions about labels and students."""

from pathlib import Path
from typing import Annotated

import typer

from outgrow.cli.options import (
    AddressOption,
    DeviceOption,
    ExecutorOption,
    JobsOption,
    QuietOption,
    StoreOption,
    ThreadsOption,
)
from outgrow.cli.printing import say
from outgrow.cli.teach import columns_of, listed
from outgrow.core.text.units import plural

LabelsArgument = Annotated[Path, typer.Argument(metavar="LABELS", help="Cheap labels: a CSV, JSONL or Parquet file.")]
TextOption = Annotated[str, typer.Option("--text", help="The column of the texts, or a template: '{title} {body}'.")]
LabelOption = Annotated[
    list[str] | None,
    typer.Option("--label", help="The column of the cheap labels; or several (a,b,c, or again)."),
]
ProbabilitiesOption = Annotated[
    str | None, typer.Option("--probabilities", help="Instead: a column a class, as p_no,p_yes or '{no: a, yes: b}'.")
]
VoterOption = Annotated[str | None, typer.Option("--voter", help="Each row is a vote: the column of who gave it.")]
StudentOption = Annotated[str, typer.Option("--student", help="Such as minilm: a head on a frozen model.")]
TruthLabelOption = Annotated[str | None, typer.Option("--truth-label", help="Their column. [default: label]")]
MaxClassesOption = Annotated[
    int | None, typer.Option("--max-classes", min=2, help="The most classes allowed. [default: 200, of two rows each]")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1)]


def audit(
    labels: LabelsArgument,
    text: TextOption,
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write; an HTML page goes beside it.")],
    label: LabelOption = None,
    probabilities: ProbabilitiesOption = None,
    voter: VoterOption = None,
    student: StudentOption = "minilm",
    truth: Annotated[Path | None, typer.Option("--truth", help="Careful labels, which are audited too.")] = None,
    truth_label: TruthLabelOption = None,
    classes: Annotated[
        str | None, typer.Option("--classes", help="The list of classes, a,b,c; other answers are listed first.")
    ] = None,
    on_page: Annotated[int, typer.Option("--on-page", min=1, max=20_000, help="Labels on the page.")] = 500,
    max_classes: MaxClassesOption = None,
    seed: SeedOption = 0,
    store: StoreOption = None,
    jobs: JobsOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    executor: ExecutorOption = None,
    address: AddressOption = None,
    quiet: QuietOption = False,
) -> None:
    """Rank all labels, cheap and careful, by how likely they are wrong, and write a page to go through them."""
    from outgrow.core.files.yaml_file import option_value
    from outgrow.execution.machine import Machine
    from outgrow.execution.progress import display
    from outgrow.questions.audit import audit_files
    from outgrow.questions.material import Place
    from outgrow.questions.printed import audited

    with display(quiet=quiet) as shown:
        found = audit_files(
            labels,
            text=text,
            columns=[name for one in label or () for name in listed(one)],
            probabilities=None if probabilities is None else columns_of(probabilities),
            voter=voter,
            out=out,
            on_page=on_page,
            student=option_value(student, "--student"),
            truth=truth,
            truth_label=truth_label,
            classes=None if classes is None else listed(classes),
            max_classes=max_classes,
            seed=seed,
            place=Place(store, Machine(jobs, threads, device, executor=executor, address=address), shown),
        )
    if quiet:
        return
    for note in found.notes:
        say(f"note: {note}")
    for line in audited(found, out):
        say(line)


def estimate(
    labels: LabelsArgument,
    text: TextOption,
    truth: Annotated[Path, typer.Option("--truth", help="Careful labels of texts drawn at random.")],
    label: LabelOption = None,
    probabilities: ProbabilitiesOption = None,
    voter: VoterOption = None,
    rows: Annotated[Path | None, typer.Option("--rows", help="The rows to count. [default: LABELS]")] = None,
    by: Annotated[str | None, typer.Option("--by", help="A column of groups, each counted by itself too.")] = None,
    within: Annotated[float, typer.Option("--within", min=0.1, max=50, help="Points, for how many more to label.")] = 2,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="A file to write all numbers to.")] = None,
    student: StudentOption = "minilm",
    truth_label: TruthLabelOption = None,
    max_classes: MaxClassesOption = None,
    seed: SeedOption = 0,
    store: StoreOption = None,
    jobs: JobsOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    executor: ExecutorOption = None,
    address: AddressOption = None,
    quiet: QuietOption = False,
) -> None:
    """Estimate how many rows are of each class, and how often student and labels are right, over a whole file."""
    from outgrow.core.files.yaml_file import option_value
    from outgrow.execution.machine import Machine
    from outgrow.execution.progress import display
    from outgrow.questions.estimate import estimate_files
    from outgrow.questions.material import Place
    from outgrow.questions.printed import estimated

    with display(quiet=quiet) as shown:
        found = estimate_files(
            labels,
            text=text,
            columns=[name for one in label or () for name in listed(one)],
            probabilities=None if probabilities is None else columns_of(probabilities),
            voter=voter,
            truth=truth,
            truth_label=truth_label,
            rows=rows,
            by=by,
            within=within / 100,
            out=out,
            student=option_value(student, "--student"),
            max_classes=max_classes,
            seed=seed,
            place=Place(store, Machine(jobs, threads, device, executor=executor, address=address), shown),
        )
    if quiet:
        return
    for line in estimated(found):
        say(line)


def next_(
    student: Annotated[Path, typer.Argument(metavar="STUDENT", help="A folder that teach wrote.")],
    pool: Annotated[Path, typer.Argument(metavar="ROWS", help="Rows to draw from; with --measure, a filled batch.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The batch to write.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, max=1_000_000, help="How many to draw.")] = 100,
    random: Annotated[
        float | None,
        typer.Option("--random", min=0.05, max=1, help="The share drawn uniformly. [default: 0.5]"),
    ] = None,
    known: Annotated[
        list[Path] | None, typer.Option("--known", help="A file of texts that are labelled already; may be repeated.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Instead, tell the student's accuracy by a batch that was labelled.")
    ] = False,
    label: Annotated[str | None, typer.Option("--label", help="With --measure: their column. [careful_label]")] = None,
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Draw the rows of a file to label next, with the probability that each had."""
    from outgrow.core.errors import UsageError
    from outgrow.execution.progress import display
    from outgrow.questions.next_rows import LABEL, RANDOM, next_rows
    from outgrow.questions.next_rows import measure as measured
    from outgrow.teaching.saved.saved_student import load

    kept = load(student)
    if measure:
        found = measured(kept, pool, label or LABEL, threads=threads, device=device)
        say(
            f"The student is right on {found.estimate:.1%} of the rows that these {found.labels} were drawn from "
            f"(95%: {found.low:.1%} … {found.high:.1%})."
        )
        return
    if out is None:
        raise UsageError("next: name the file to write the batch to, with -o")
    with display() as shown:
        batch = next_rows(
            kept, pool, out, rows=rows, random=RANDOM if random is None else random, known=known or (), seed=seed,
            threads=threads, device=device, display=shown,
        )  # fmt: skip
    say(
        f"{plural(len(batch.rows), 'row')} of {batch.among:,} in {out}. Fill in {LABEL}; then `outgrow next {student} {out} "
        "--measure` tells how accurate the student is on all of them."
    )


def join(
    votes: Annotated[Path, typer.Argument(metavar="VOTES", help="Labels of several: a CSV, JSONL or Parquet file.")],
    text: Annotated[str, typer.Option("--text", help="The column of what is labelled: a text, a name or a number.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write: a row for each text.")],
    label: LabelOption = None,
    voter: VoterOption = None,
    truth: Annotated[Path | None, typer.Option("--truth", help="Careful labels, to choose and measure by.")] = None,
    truth_label: TruthLabelOption = None,
    voters: Annotated[Path | None, typer.Option("--voters", help="A file to write what each voter does to.")] = None,
    max_classes: MaxClassesOption = None,
    seed: SeedOption = 0,
) -> None:
    """Join the labels of several voters or rules, without a student, and say what each of them does."""
    from outgrow.questions.join import join_files
    from outgrow.questions.printed import joined

    found = join_files(
        votes,
        text=text,
        columns=[name for one in label or () for name in listed(one)],
        voter=voter,
        truth=truth,
        truth_label=truth_label,
        out=out,
        voters_out=voters,
        max_classes=max_classes,
        seed=seed,
    )
    for line in joined(found):
        say(line)
    say(f"{plural(len(found.texts), 'text')} in {out}.")
