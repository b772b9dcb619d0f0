"""The stage that writes a run's results page: each number of the paper with ours beside it."""

import shlex
from pathlib import Path
from typing import Any

import pandas as pd

from metalight.atomic import replace_file
from metalight.catalog import name_property
from metalight.errors import RunError
from metalight.evaluation import list_score_notes, load_beside, load_score_table, load_scores
from metalight.model_files import CONFIG_FILE, describe_failure, load_config
from metalight.pipeline.stage import Job, Stage
from metalight.recipe import Recipe, load_recipe
from metalight.report import (
    Page,
    build_page,
    list_baselines,
    list_results,
    list_routes,
    list_scatter_ratios,
    list_study,
    tabulate,
)
from metalight.run_folder import RunFolder, compute_digest
from metalight.safe_text import guard_formulas, unguard_formulas
from metalight.small_files import load_json
from metalight.tables import ColumnInfo, load_table

PREDICTIONS_STUDIED = "predictions_sha256"
"""By what name the study of mass and metallicity keeps the digest of the test predictions that it is of."""

_STUDIES, _STUDY_TABLE = "studies", "results.csv"
_MASS_METALLICITY = "The mass–metallicity relation"
_OF_EARLIER_PREDICTIONS = (
    "The study of it in this run is of earlier predictions; `metalight study mass-metallicity RUN` updates it."
)
_COLUMNS_OF_STUDY = ("variant", "repetition", "target", "rmse", "rmse_low", "rmse_high", "nmad", "rmse_over_sigma")


def write_results(run: RunFolder, recipe: Recipe) -> list[Path]:
    """Write results.md and results.csv of a run whose evaluation is done, with what studies have found of it.

    Returns:
        Both paths.
    """
    scores = load_scores(run.metrics("test"))
    kinds = {target: name_property(target, recipe.catalog.properties) for target in recipe.catalog.targets}
    info = load_table(run.catalog, missing_values=()).info
    units = {target: info.get(target, ColumnInfo()).unit for target in scores}
    beside = load_beside(run.baselines)
    results = list_results(scores, kinds, units, _count_galaxies(run))
    beside = {target: of_target for target, of_target in beside.items() if of_target and target in scores}
    texts = {}
    for table in sorted((run.path / _STUDIES).glob(f"*/{_STUDY_TABLE}")):
        results += list_study(table.parent.name, unguard_formulas(pd.read_csv(table)), kinds)
    found = run.path / _STUDIES / "mass-metallicity"
    if (found / "summary.txt").is_file():
        stored = load_json(found / "results.json")
        if stored.get(PREDICTIONS_STUDIED) == compute_digest([run.predictions("test")]):
            results += list_routes(pd.read_csv(found / "routes.csv") if (found / "routes.csv").is_file() else None)
            results += list_scatter_ratios(stored.get("scatter_ratios", {}))
            texts[_MASS_METALLICITY] = (found / "summary.txt").read_text(encoding="utf-8")
        else:
            texts[_MASS_METALLICITY] = _OF_EARLIER_PREDICTIONS
    bins = {
        target: of_target
        for target, of_target in load_score_table(run.metrics_by_truth("test")).items()
        if kinds.get(target) == "metallicity"
    }
    explained = {
        f"{target}: what lies behind the scores": "\n".join(list_score_notes(of_target, units[target]))
        for target, of_target in scores.items()
    }
    config = load_config(run.model)
    page = Page(
        recipe.name,
        _describe_model(run, recipe),
        results,
        scores,
        units,
        warning=describe_failure(config.training.verdict, config.units),
        bins=bins,
        baselines=beside,
        texts=explained | texts,
        has_paper=is_beside_paper(recipe),
    )
    with replace_file(run.results) as temporary:
        temporary.write_text(build_page(page), encoding="utf-8")
    # On the page they stand in a table of their own.
    baselines = [row for target, rows in beside.items() for row in list_baselines(target, rows, kinds[target])]
    with replace_file(run.results_table) as temporary:
        guard_formulas(tabulate([*results, *baselines])).to_csv(temporary, index=False, lineterminator="\n")
    return [run.results, run.results_table]


def is_beside_paper(recipe: Recipe) -> bool:
    """Whether the page has the paper's numbers: those of another sample would mislead, so they are shown on request."""
    if recipe.evaluation.beside_paper != "auto":
        return recipe.evaluation.beside_paper == "always"
    return not recipe.catalog.is_table and set(recipe.catalog.cuts) & {"auto", "paper"} != set()


def write_results_of(path: Path) -> list[Path]:
    """The same of a run folder that nobody works on.

    Raises:
        RunError: It is not a run folder, or its evaluation is not done.
        InUseError: Another process works there.
    """
    run = _find_run(path)
    with run.hold():
        return write_results(run, load_recipe(str(run.recipe)))


def adopt_study(path: Path, study: Path) -> Path:
    """Keep the numbers of a study in a run, for its results page; gives the file they are kept in.

    Args:
        path: The run folder.
        study: A folder of `metalight study`.

    Raises:
        RunError: One of the two is no such folder.
        InUseError: Another process works on the run.
    """
    run = _find_run(path)
    try:
        name = load_json(study / "study.json")["study"]
        table = unguard_formulas(pd.read_csv(study / _STUDY_TABLE))
        table[list(_COLUMNS_OF_STUDY)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{study} is not a folder of a finished study; give one that `metalight study` made.") from error
    kept = run.path / _STUDIES / Path(str(name)).stem / _STUDY_TABLE
    with run.hold(), replace_file(kept) as temporary:
        guard_formulas(table).to_csv(temporary, index=False, lineterminator="\n")
    return kept


def _find_run(path: Path) -> RunFolder:
    run = RunFolder(path)
    if not path.is_dir() or not run.is_run():
        raise RunError(f"{path} is not a run folder; give one that `metalight run` has made.")
    if missing := find_missing(run):
        raise RunError(f"The run {path} has no {missing} yet; finish it with `metalight run {shlex.quote(str(path))}`.")
    return run


def find_missing(run: RunFolder) -> str:
    """The name of a file that the page of a run needs and that is not there, as in runs of before; empty: none."""
    needed = (
        *(run.recipe, run.catalog, run.splits, run.model / CONFIG_FILE),
        *(run.predictions("test"), run.metrics("test"), run.metrics_by_truth("test")),
    )
    return next((file.name for file in needed if not file.is_file()), "")


def _count_galaxies(run: RunFolder) -> dict[str, int]:
    splits = load_table(run.splits, missing_values=()).frame
    sizes = splits["split"].value_counts()
    nums = {"selected": len(load_table(run.catalog, missing_values=()).frame), "with an image": len(splits)}
    return nums | {name: int(sizes.get(name, 0)) for name in ("train", "validation", "test")}


def _describe_model(run: RunFolder, recipe: Recipe) -> str:
    config = load_config(run.model)
    training, images = config.training, config.images
    return (
        f"{config.backbone} with weights from '{training.starting_weights}', trained for {training.epochs} epochs on "
        f"{training.num_galaxies:,} galaxies in {training.precision}, seed {training.seed}; images of {images.side} × "
        f"{images.side} px, framing '{images.framing}', source '{images.source}'; predicted with the views "
        f"'{recipe.prediction.views}'."
    )


def _perform_results(job: Job) -> str:
    page, table = write_results(job.run, job.recipe)
    return f"{page}, {table.name}"


def _results_settings(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "beside_paper": is_beside_paper(recipe),
        "targets": list(recipe.catalog.targets),
        "properties": recipe.catalog.properties,
    }


RESULTS_STAGE = Stage(
    "results",
    after=("catalog", "splits", "training", "prediction", "baselines", "evaluation"),
    perform=_perform_results,
    settings=_results_settings,
    outputs=lambda run: [run.results, run.results_table],
)
