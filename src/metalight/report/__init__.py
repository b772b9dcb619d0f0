"""Pages for people that are made of a run's artefacts, and compute nothing of their own."""

from metalight.report.results import Result, list_results
from metalight.report.results_page import Page, build_page

__all__ = ["Page", "Result", "build_page", "list_results"]
