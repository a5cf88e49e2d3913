"""The commands that read: thin, like those of cli.py. They train nothing."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgrow.cli.printing import console_of, say, say_json

if TYPE_CHECKING:
    from outgrow.report.tables.cell_tables import View
    from outgrow.results.run_results import Results


RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/demo.")]


def show(
    folder: RunFolder,
    metric: Annotated[
        str, typer.Option("--metric", help="A name of `outgrow list metrics`, or path/to/file.py:Name.")
    ] = "accuracy",
    agreement: Annotated[
        bool, typer.Option("--agreement", help="How far the student copies its supervisor's mistakes.")
    ] = False,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Student, ceiling and PGR at each l2 that was tried.")
    ] = False,
    margin: Annotated[
        bool, typer.Option("--margin", help="The models where the supervisor is unsure and where it is sure.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The whole results.json.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="One line per cell.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="A table for a README.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="A table for a paper (booktabs).")] = False,
    pivot: Annotated[
        str | None, typer.Option("--pivot", help="With --latex or --markdown: PGR with a column for each task.")
    ] = None,
    of: Annotated[
        str | None, typer.Option("--of", help="With --pivot: gain, student, weak or ceiling in place of PGR.")
    ] = None,
    sentences: Annotated[
        bool, typer.Option("--sentences", help="A sentence for each cell, not three for all.")
    ] = False,
) -> None:
    """Print a run's cells as a table, and what came out in three sentences."""
    from outgrow.core.errors import UsageError
    from outgrow.report.tables import cell_tables as tables
    from outgrow.report.tables import papers
    from outgrow.report.words.sensitivity import SENSITIVITY, at_each_strength
    from outgrow.results.diagnostics.margins import by_margin
    from outgrow.results.metrics.scores import metric_named
    from outgrow.results.run_folder import read_run, with_metric

    if json + csv + markdown + latex > 1:
        raise UsageError("show: ask for one of --json, --csv, --markdown and --latex at a time")
    if pivot is not None and not (latex or markdown):
        raise UsageError("show: --pivot is for --latex and --markdown")
    if of is not None and pivot is None:
        raise UsageError("show: --of is for --pivot, as in --latex --pivot task --of gain")
    if agreement + sensitivity + margin + (metric != "accuracy") > 1:
        raise UsageError("show: ask for one of --metric, --agreement, --sensitivity and --margin at a time")
    asked = metric_named(metric)
    results = with_metric(folder, metric)
    shows = (
        tables.agreement_view(results.cells)
        if agreement
        else SENSITIVITY
        if sensitivity
        else tables.view(asked, results.cells)
    )
    if margin:
        reading = read_run(folder)
        shows, results = tables.MARGIN, replace(results, cells=by_margin(reading.asked, reading.scored), notes=())
        if not results.cells:
            raise UsageError("show: --margin: every supervisor here is equally sure of all rows, or leaves some out")
    cells = at_each_strength(results.cells) if sensitivity else results.cells
    if json:
        say_json(results.to_json())
    elif csv:
        say(tables.csv_text(cells, shows), end="")
    elif pivot is not None:
        say(papers.pivot(cells, pivot, shows, latex=latex, of=of), end="")
    elif markdown:
        say(tables.markdown(tables.rows(cells, shows)), end="")
    elif latex:
        say(papers.table(cells, shows), end="")
    else:
        print_results(results, shows, sentences=sentences)


def compare(
    folder: RunFolder,
    by: Annotated[str, typer.Option("--by", help="method, weak, strong or task.")] = "method",
    against: Annotated[
        str | None, typer.Option("--against", help="What the others are compared with. [default: naive, or the first]")
    ] = None,
    sentence: Annotated[bool, typer.Option("--sentence", help="A sentence to quote for each difference.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Every number in full.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="One line per difference, in full.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The differences as a table for a README.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="The differences as a table for a paper (booktabs).")] = False,
) -> None:
    """Compare methods, supervisors, students or tasks of a run folder: paired differences, and averages over tasks."""
    from json import dumps

    from outgrow.core.errors import UsageError
    from outgrow.report.tables import cell_tables as tables
    from outgrow.report.tables import papers
    from outgrow.report.tables.comparison_tables import csv_text, rows, shown
    from outgrow.report.words.comparison_sentences import quotable
    from outgrow.results.compare import compare as compared
    from outgrow.results.compare import reference
    from outgrow.results.run_folder import read_run

    if json + csv + markdown + latex + sentence > 1:
        raise UsageError("compare: ask for one of --json, --csv, --markdown, --latex and --sentence at a time")
    reading = read_run(folder)
    found = compared(reading, by, against or reference(reading, by))
    if json:
        say_json(dumps(found.content(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    elif csv:
        say(csv_text(found), end="")
    elif markdown:
        say(tables.markdown(rows(found)), end="")
    elif latex:
        say(papers.differences(found), end="")
    elif sentence:
        for line in quotable(found):
            say(line)
    else:
        console = console_of(sys.stdout)
        for part in shown(found, console.width):
            console.print(part)


def score(
    answers: Annotated[Path | None, typer.Argument(metavar="ANSWERS", help="With --sealed: what was answered.")] = None,
    sealed: Annotated[Path | None, typer.Option("--sealed", help="The sealed part that `outgrow seal` wrote.")] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="With --sealed: take answers over HTTP, from this machine alone.")
    ] = False,
    weak: Annotated[Path | None, typer.Option("--weak", help="The supervisor's predictions on test.")] = None,
    student: Annotated[Path | None, typer.Option("--student", help="The student's.")] = None,
    ceiling: Annotated[Path | None, typer.Option("--ceiling", help="The ceiling's.")] = None,
    truth: Annotated[Path | None, typer.Option("--truth", help="The true labels.")] = None,
    accuracies: Annotated[
        Path | None, typer.Option("--accuracies", help="Instead: a table with seed, weak, student, ceiling.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Instead: results in the form of the field's reference code.")
    ] = None,
    ceilings: Annotated[Path | None, typer.Option("--ceilings", help="With --folder: where the ceilings are.")] = None,
    scorer: Annotated[
        str | None,
        typer.Option("--scorer", help="Of logs by inspect or lm-eval: which score; METRIC,FILTER of the latter."),
    ] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="The column of ids. [default: id]")] = None,
    common: Annotated[bool, typer.Option("--common", help="Score the rows and seeds that all have.")] = False,
    percent: Annotated[bool, typer.Option("--percent", help="The accuracies are percentages.")] = False,
    metric: Annotated[str, typer.Option("--metric", help="As in `outgrow show`.")] = "accuracy",
    json: Annotated[bool, typer.Option("--json", help="The cells, in the form of results.json.")] = False,
) -> None:
    """The same statistics for results that any program made."""
    from outgrow.core.errors import UsageError
    from outgrow.report.tables import cell_tables as tables
    from outgrow.results.external import score as scores
    from outgrow.results.external.reference_folder import score_folder
    from outgrow.results.metrics.scores import metric_named

    if serve and (sealed is None or answers is not None or json):
        raise UsageError("score: --serve goes with --sealed alone: answers are handed in to it, and it answers in JSON")
    if (answers is None) != (sealed is None) and not serve:
        raise UsageError(
            "score: --sealed needs a file of answers, or --serve"
            if answers is None
            else f"score: {answers} stands alone: name files by --weak, --student, --ceiling and --truth, or give --sealed"
        )
    if sealed is not None:
        from outgrow.cli.sealed import score_sealed, serve_sealed

        if any((weak, student, ceiling, truth, accuracies, folder, ceilings, scorer, id_column, common, percent)):
            raise UsageError("score: beside --sealed stand a file of answers and --json alone, or --serve")
        if answers is None:
            serve_sealed(sealed)
        else:
            score_sealed(sealed, answers, json=json)
        return
    asked = metric_named(metric)
    predictions = {"--weak": weak, "--student": student, "--ceiling": ceiling, "--truth": truth}
    named = [name for name, path in predictions.items() if path is not None]
    if (accuracies is not None) + (folder is not None) + bool(named) != 1:
        raise UsageError("score: give --weak, --student, --ceiling and --truth, or --accuracies, or --folder")
    if named and (weak is None or student is None):
        raise UsageError(f"score: {'--weak' if weak is None else '--student'} is missing beside {', '.join(named)}")
    if not named and metric != "accuracy":
        raise UsageError("score: --metric needs predictions; accuracies hold nothing else")
    if ceilings is not None and folder is None:
        raise UsageError("score: --ceilings is for --folder; --ceiling names a file of predictions")
    if scorer is not None and not named:
        raise UsageError("score: --scorer is for logs under --weak, --student and --ceiling")
    if percent and accuracies is None:
        raise UsageError("score: --percent is for --accuracies")
    if accuracies is not None:
        results = scores.score_accuracies(accuracies, percent=percent, common=common)
    elif folder is not None:
        results = score_folder(folder, ceilings)
    else:
        assert weak is not None  # seen above, as the next
        assert student is not None
        results = scores.score_predictions(
            weak, student, ceiling, truth, id_column=id_column, common=common, metric=metric, scorer=scorer
        )
    if json:
        say_json(scores.cells_json(results))
    else:
        print_results(results, tables.view(asked))


def print_results(results: "Results", shows: "View | None" = None, *, sentences: bool = False) -> None:
    """A table of the cells, and what it says in three sentences; with `sentences`, in one for each cell."""
    from outgrow.report.tables import cell_tables as tables
    from outgrow.report.words import sentences as words
    from outgrow.report.words.method_sentences import besides_training
    from outgrow.report.words.sensitivity import SENSITIVITY, at_each_strength, most_moved, sensitivities
    from outgrow.report.words.summary import summary
    from outgrow.results.metrics.scores import ACCURACY

    shows = shows or tables.view(ACCURACY, results.cells)
    console = console_of(sys.stdout)
    tried = shows is SENSITIVITY
    cells = at_each_strength(results.cells) if tried else results.cells
    console.print(tables.terminal(cells, shows, console.width))
    lines: list[str] = []
    if tried:
        lines = sensitivities(results.cells)
    elif shows.part == "agreement":
        lines = words.agreements(results.cells)
    elif shows.caption == "" and sentences:
        lines = [*words.verdicts(results.cells), *words.equivalents(results.cells), *besides_training(results.runs)]
        lines += sensitivities(results.cells)
    elif shows.caption == "":
        lines = [*summary(results.cells), *most_moved(results.cells)]
    for line in lines:
        console.print(f"\n{line}")
    for line in words.controls(results.controls, short=not sentences):
        console.print(line)
    for note in results.notes:
        console.print(f"note: {note}", style="dim")
