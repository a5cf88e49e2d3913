"""A run's table and its sentences for a paper, from Python: what `show --latex` and `compare` print."""

from __future__ import annotations

from outgrow.report.tables import cell_tables as tables
from outgrow.report.tables import papers
from outgrow.report.words.comparison_sentences import quotable
from outgrow.results.compare import compare, reference
from outgrow.results.metrics.scores import ACCURACY
from outgrow.results.run_results import Results


def latex(
    results: Results,
    pivot: str | None = None,
    compared: str | None = None,
    against: str | None = None,
    of: str | None = None,
) -> str:
    """A table for a paper (booktabs): the cells; with `pivot` one number by task; or differences `compared` by an axis.

    of: which number `pivot` shows: PGR (the default), gain, student, weak or ceiling. compared: method, weak, strong or task,
    from `against` (naive, or the first). Raises UsageError on another, and OutgrowError where differences are asked of results
    that belong to no run folder.
    """
    if compared is not None:
        reading = results.reading()
        return papers.differences(compare(reading, compared, against or reference(reading, compared)))
    shows = tables.view(ACCURACY, results.cells)
    if pivot is None:
        return papers.table(results.cells, shows)
    return papers.pivot(results.cells, pivot, shows, of=of)


def quotes(results: Results, by: str = "method", against: str | None = None) -> list[str]:
    """A sentence to quote for each difference of `outgrow compare`, with its test, correction and n.

    Raises as `latex` does.
    """
    reading = results.reading()
    return quotable(compare(reading, by, against or reference(reading, by)))
