"""Pages for people that are made of a run's artefacts, and compute nothing of their own."""

from metalight.report.results import Result, list_baselines, list_results, list_routes, list_scatter_ratios, list_study
from metalight.report.results_page import Page, build_page, tabulate
