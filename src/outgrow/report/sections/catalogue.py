"""The sections of the page, in order. A new one is a file beside this, a template, and a row here."""

from __future__ import annotations

from outgrow.report.sections.cells import CELLS
from outgrow.report.sections.classes import CLASSES
from outgrow.report.sections.comparison import COMPARISON
from outgrow.report.sections.controls import CONTROLS
from outgrow.report.sections.examples import EXAMPLES
from outgrow.report.sections.figures import FIGURES
from outgrow.report.sections.headline import HEADLINE
from outgrow.report.sections.provenance import PROVENANCE
from outgrow.report.sections.runs import RUNS
from outgrow.report.sections.sensitivity import SENSITIVITY
from outgrow.report.sections.theory import THEORY

SECTIONS = (HEADLINE, CELLS, RUNS, COMPARISON, FIGURES, THEORY, SENSITIVITY, CLASSES, EXAMPLES, CONTROLS, PROVENANCE)
