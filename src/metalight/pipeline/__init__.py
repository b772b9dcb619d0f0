"""The whole job: the stages in order, each from artefacts to artefacts; and predictions judged alone."""

from metalight.pipeline.adopt_stages import adopt_stages, list_ahead
from metalight.pipeline.choose_images import CatalogOfImages
from metalight.pipeline.compare import (
    CompareReport,
    TruthTable,
    compare,
    describe_galaxies,
    describe_overlap,
    save_comparison,
)
from metalight.pipeline.estimate import Cost, Estimate, describe_costs, format_bytes, format_seconds, measure_decoded
from metalight.pipeline.evaluate_table import evaluate_table
from metalight.pipeline.inspect_run import Inspection, inspect_run
from metalight.pipeline.judge_model import explain_failure
from metalight.pipeline.predict_images import PredictReport, predict_images
from metalight.pipeline.propose_recipe import ProposedRecipe, propose_recipe
from metalight.pipeline.rank import CatalogOfPlaces, RankReport, rank, save_ranks
from metalight.pipeline.results_stage import (
    PREDICTIONS_STUDIED,
    adopt_study,
    find_missing,
    write_results,
    write_results_of,
)
from metalight.pipeline.run_differences import RunDifference
from metalight.pipeline.run_recipe import RunReport, run_recipe
from metalight.pipeline.sides import SideColumns
from metalight.pipeline.stages import STAGES
from metalight.pipeline.try_rates import count_training, try_rates

__all__ = [
    "PREDICTIONS_STUDIED",
    "STAGES",
    "CatalogOfImages",
    "CatalogOfPlaces",
    "CompareReport",
    "Cost",
    "Estimate",
    "Inspection",
    "PredictReport",
    "ProposedRecipe",
    "RankReport",
    "RunDifference",
    "RunReport",
    "SideColumns",
    "TruthTable",
    "adopt_stages",
    "adopt_study",
    "compare",
    "count_training",
    "describe_costs",
    "describe_galaxies",
    "describe_overlap",
    "evaluate_table",
    "explain_failure",
    "find_missing",
    "format_bytes",
    "format_seconds",
    "inspect_run",
    "list_ahead",
    "measure_decoded",
    "predict_images",
    "propose_recipe",
    "rank",
    "run_recipe",
    "save_comparison",
    "save_ranks",
    "try_rates",
    "write_results",
    "write_results_of",
]
