"""The commands that make and use a student."""

from pathlib import Path
from typing import Annotated, Any

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
from outgrow.core.text.units import duration, plural


def teach(
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELS", help="Cheap labels: a CSV, JSONL or Parquet file, or images in one folder per class."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The student's folder.")],
    text: Annotated[
        str | None, typer.Option("--text", help="The column of the texts, or a template: '{title} {body}'.")
    ] = None,
    chosen: Annotated[
        str | None, typer.Option("--chosen", help="Of preferences: the column of the better text; with --rejected.")
    ] = None,
    rejected: Annotated[str | None, typer.Option("--rejected", help="The column of the other one.")] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="The column of what both answer. [default: what they begin with]")
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", help="Of images: the column of their paths, from the file's folder on.")
    ] = None,
    inputs: Annotated[
        str | None, typer.Option("--inputs", help="Other inputs: their columns, as '{prompt: q, a: one, b: two}'.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="The column of the cheap labels; several (a,b,c, or again) are joined."),
    ] = None,
    probabilities: Annotated[
        str | None,
        typer.Option(
            "--probabilities",
            help="Instead: a column a class, as p_no,p_yes or '{no: a, yes: b}'; or one column of {class: log p}.",
        ),
    ] = None,
    confidence: Annotated[
        str | None,
        typer.Option("--confidence", help="The column of how sure each label is: its probability, or the log."),
    ] = None,
    voter: Annotated[str | None, typer.Option("--voter", help="Each row is a vote: the column of who gave it.")] = None,
    student: Annotated[
        str | None,
        typer.Option("--student", help="Such as mpnet, '{finetune: minilm}' or auto. [default: of texts minilm]"),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option("--budget", help="Of --student auto: how long students are tried, as 5m. [default: 10m]"),
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", help="Such as naive. [default: confidence; of finetuned students naive]")
    ] = None,
    l2: Annotated[float | None, typer.Option("--l2", min=1e-9, max=1e6, help="Regularisation. [default: 0.03]")] = None,
    truth: Annotated[
        list[Path] | None,
        typer.Option("--truth", help="Careful labels of texts drawn at random, to measure by; may be repeated."),
    ] = None,
    truth_label: Annotated[str | None, typer.Option("--truth-label", help="Their column. [default: label]")] = None,
    truth_voter: Annotated[
        str | None,
        typer.Option("--truth-voter", help="Careful labels are votes: the annotators' columns a,b,c; or who gave it."),
    ] = None,
    learn: Annotated[
        list[Path] | None,
        typer.Option("--learn", help="Careful labels of texts that were chosen: learned, not scored; may be repeated."),
    ] = None,
    max_classes: Annotated[
        int | None,
        typer.Option("--max-classes", min=2, help="The most classes allowed. [default: 200, of two rows each]"),
    ] = None,
    choose: Annotated[bool, typer.Option("--choose", help="Choose method and --l2 by the careful labels.")] = False,
    mix: Annotated[
        bool | None,
        typer.Option("--mix/--no-mix", help="Learn from the careful labels too. [default: heads, if they gain by it]"),
    ] = None,
    no_worth: Annotated[
        bool, typer.Option("--no-worth", help="Do not count what the cheap labels are worth in careful ones.")
    ] = False,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write the student as an ONNX graph too.")] = False,
    audit: Annotated[
        Path | None,
        typer.Option(
            "--audit", help="A file for labels by how likely they are wrong, as of outgrow audit; with a page."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1)] = 0,
    store: StoreOption = None,
    jobs: JobsOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    executor: ExecutorOption = None,
    address: AddressOption = None,
    quiet: QuietOption = False,
) -> None:
    """Teach a student by cheap labels, save it, and say how good it is."""
    from outgrow.core.files.yaml_file import option_value
    from outgrow.execution.machine import Machine
    from outgrow.execution.progress import display
    from outgrow.teaching.sentences import sentences
    from outgrow.teaching.teach_files import teach_files

    machine = Machine(jobs, threads, device, executor=executor, address=address)
    taught_by = None if student is None else option_value(student, "--student")
    seconds = None if budget is None else duration(budget)
    audited_by = "minilm" if taught_by in (None, "auto") else taught_by
    columns = _inputs(inputs, {"chosen": chosen, "rejected": rejected, "prompt": prompt, "image": image})
    given: dict[str, Any] = {
        "text": text,
        "columns": [name for one in label or () for name in listed(one)],
        "probabilities": None if probabilities is None else columns_of(probabilities),
        "voter": voter,
        "truth_label": truth_label,
        "max_classes": max_classes,
        "seed": seed,
    }
    if audit is not None:
        from outgrow.questions.beside_teach import check_audit

        others = {"--inputs": columns, "--confidence": confidence, "--truth-voter": truth_voter, "--learn": learn}
        check_audit(audit, out, audited_by, {**others, "all but one --truth": len(truth or ()) > 1})
    audited_labels = None
    with display(quiet=quiet) as shown:
        report = teach_files(
            labels,
            **given,
            inputs=columns,
            confidence=confidence,
            out=out,
            student=taught_by,
            method=None if method is None else option_value(method, "--method"),
            l2=l2,
            truth=truth or None,
            truth_voters=() if truth_voter is None else listed(truth_voter),
            learn=learn or (),
            choose=choose,
            mix=mix,
            worth=not no_worth,
            onnx=onnx,
            budget=seconds,
            store=store,
            machine=machine,
            display=shown,
        )
        if audit is not None:
            from outgrow.questions.audit import audit_files
            from outgrow.questions.material import Place

            audited_labels = audit_files(
                labels,
                **given,
                out=audit,
                student=audited_by,
                truth=truth[0] if truth else None,
                place=Place(store, machine, shown),
            )
    if quiet:
        return
    for note in report.notes:
        say(f"note: {note}")
    for sentence in sentences(report.plain()):
        say(sentence)
    if audit is not None and audited_labels is not None:
        from outgrow.questions.printed import audited

        for line in audited(audited_labels, audit):
            say(line)
    say(f"The student is in {out}; its README.md is a model card. Next: outgrow predict {out} new.csv -o out.csv")


def _inputs(written: str | None, columns: dict[str, str | None]) -> Any:
    """A mapping of columns, from --inputs or from options of their own; None where neither is given."""
    from outgrow.core.errors import UsageError
    from outgrow.core.files.yaml_file import option_value

    given = {name: column for name, column in columns.items() if column is not None}
    if written is None or not given:
        return given or None if written is None else option_value(written, "--inputs")
    raise UsageError(f"--inputs, --{min(given)}: name all columns by the one or by the other")


def listed(written: str) -> list[str]:
    """Names that an option lists: a,b,c."""
    return [name.strip() for name in written.split(",")]


def columns_of(written: str) -> Any:
    """The columns of --probabilities: a list, or class -> column."""
    from outgrow.core.files.yaml_file import option_value

    value = option_value(written, "--probabilities")
    return listed(value) if isinstance(value, str) else value


def predict(
    student: Annotated[Path, typer.Argument(metavar="STUDENT", help="A folder that teach wrote.")],
    rows: Annotated[
        str,
        typer.Argument(metavar="ROWS", help="A CSV, JSONL or Parquet file of any size, or images; - for stdin."),
    ],
    out: Annotated[str, typer.Option("-o", "--out", help="The file to write; - for stdout.")],
    text: Annotated[
        str | None, typer.Option("--text", help="The column of the texts. [default: as the student's own were called]")
    ] = None,
    inputs: Annotated[
        str | None, typer.Option("--inputs", help="The columns of other inputs, as '{prompt: q, a: one, b: two}'.")
    ] = None,
    plugin: Annotated[
        list[Path] | None,
        typer.Option("--plugin", help="A Python file with the student's own model kind or input type."),
    ] = None,
    abstain: Annotated[
        float | None,
        typer.Option("--abstain", min=0.001, max=0.5, help="Leave unsure labels blank; this share may be wrong."),
    ] = None,
    careful: Annotated[
        Path | None, typer.Option("--careful", help="For --abstain: careful labels that the student did not learn.")
    ] = None,
    careful_label: Annotated[str | None, typer.Option("--careful-label", help="Their column. [default: label]")] = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    leave_formulas: Annotated[
        bool, typer.Option("--leave-formulas", help="In CSV, write labels such as =x without an apostrophe in front.")
    ] = False,
) -> None:
    """Write a student's label, probabilities and margin beside every row of a file."""
    from outgrow.core.errors import UsageError
    from outgrow.core.registry import remember_file
    from outgrow.execution.progress import display
    from outgrow.questions.abstain import from_file
    from outgrow.teaching.saved.predict_files import predict_file
    from outgrow.teaching.saved.saved_student import load

    for path in plugin or ():
        remember_file(path)
    kept = load(student)
    if text is not None and inputs is not None:
        raise UsageError("--text, --inputs: name the columns by one of them")
    if (abstain is None) != (careful is None):
        raise UsageError("--abstain, --careful: give both: how many may be wrong, and labels that show it")
    known = None
    if abstain is not None and careful is not None:
        known = from_file(kept, careful, abstain, inputs=text, label=careful_label, device=device, threads=threads)
    with display() as shown:
        count = predict_file(
            kept,
            rows,
            out,
            inputs=text if text is not None else _inputs(inputs, {}),
            threads=threads,
            device=device,
            display=shown,
            leave_formulas=leave_formulas,
            above=None if known is None else known.margin,
        )
    if known is not None:
        say(
            f"Labels with a margin of {max(known.margin, 0):.3f} or less are left blank. Of the others at most "
            f"{known.wrong:.1%} are wrong, with 95% confidence, in rows like the careful ones: of {known.careful:,} of these "
            f"{known.answered:,} are answered, {known.mistakes} of them wrongly.",
            error=True,
        )
    say(f"{plural(count, 'row')} labelled" + ("" if out == "-" else f" in {out}"), error=True)
