"""The report stage: everything that is known about a model on a board, as one JSON object and as one HTML page."""

from mcugen.report.facts import report_facts
from mcugen.report.page import render_report

__all__ = ["render_report", "report_facts"]
