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
