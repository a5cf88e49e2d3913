"""The figures of the page, in order, and those for papers. A new one is a file beside this and a row here."""

from __future__ import annotations

from outgrow.report.figures.accuracy import ACCURACY, ACCURACY_BY_STUDENT
from outgrow.report.figures.agreement import AGREEMENT
from outgrow.report.figures.calibration import CALIBRATION
from outgrow.report.figures.for_papers import FOR_PAPERS
from outgrow.report.figures.learning_curves import LEARNING_CURVES
from outgrow.report.figures.pgr import PGR
from outgrow.report.figures.pgr_weak_strong import PGR_WEAK_STRONG

FIGURES = (ACCURACY, ACCURACY_BY_STUDENT, PGR_WEAK_STRONG, PGR, AGREEMENT, CALIBRATION, LEARNING_CURVES)
ALL = (*FIGURES, *FOR_PAPERS)  # what is written to files
