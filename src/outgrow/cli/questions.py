"""The commands that answer questions about labels and students."""

from __future__ import annotations

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
from outgrow.core.units import plural

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
    for one in found.sources:
        say(
            f"{one.source}: {plural(one.labels, 'label')}, of which another class is likelier than {one.doubted:,} "
            f"({one.doubted / one.labels:.0%})"
        )
    marked = sum(bool(one.findings) for one in found.labels)
    say(
        f"{plural(len(found.labels), 'label')} in {out}, those most likely wrong first; {marked:,} with a finding of their own."
    )
    say(f"Go through them in {out.with_suffix('.html')}; its export is a file for --truth.")
