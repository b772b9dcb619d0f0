"""The stage that draws a run: the paper's figures, and what else a sample of predictions should be looked at by.

matplotlib is imported when it runs.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metalight.catalog import compute_properties
from metalight.evaluation import load_score_table, load_scores, select_examples
from metalight.identifiers import name_all
from metalight.images import load_pixels, make_display
from metalight.pipeline.stage import Job, Stage
from metalight.recipe import Recipe
from metalight.run_folder import name_endings, name_predicted
from metalight.tables import ColumnInfo, Table, load_galaxies

TREND_PROPERTIES = (
    *("redshift", "petro_r90_arcsec", "axis_ratio", "e_bv", "fibre_fraction", "signal_to_noise", "petro_magnitude_r"),
    *("g_r", "concentration", "log_surface_density", "log_mass", "log_ssfr", "log_sfr_fibre", "d4000"),
)
"""What residuals are drawn against: first what should not matter, then what may hold more than the network has seen."""


def list_scorable(predictions: pd.DataFrame, targets: Sequence[str]) -> list[str]:
    """Targets of which at least two galaxies have a true value; fewer cannot be scored."""
    return [target for target in targets if predictions[target].count() > 1]


def _perform_figures(job: Job) -> str:
    test = load_galaxies(job.run.predictions("test"))
    names = job.recipe.catalog.targets
    paths = _draw_training(job, test)
    endings = name_endings(names)
    for target in list_scorable(test.frame, names):
        known = test.info.get(target, ColumnInfo())
        for draw in _DRAWN_OF_A_TARGET:
            paths += draw(job, test.frame, target, known, endings[target])
    pictures = [path for path in paths if path.suffix == ".png"]
    return f"{len(pictures)} in {job.run.figures}, each as PNG and PDF and its numbers as CSV"


def _draw_training(job: Job, test: Table) -> list[Path]:
    from metalight.figures import draw_first_filters, draw_training_history

    first, *others = job.recipe.catalog.targets
    paths = draw_training_history(
        pd.read_csv(job.run.history),
        path_stem=job.run.figures / "training_history",
        name=first if others else "",
        unit=test.info.get(first, ColumnInfo()).unit,
    )
    filters = np.load(job.run.first_filters)
    stem = job.run.figures / "first_filters"
    return paths + draw_first_filters(filters[0], filters[1], bands=job.recipe.cutouts.bands, path_stem=stem)


def _draw_predictions(job: Job, test: pd.DataFrame, target: str, known: ColumnInfo, ending: str) -> list[Path]:
    from metalight.figures import draw_prediction_summary, draw_value_distributions

    true, predicted = test[target].to_numpy(), test[name_predicted(target)].to_numpy()
    paths = []
    for figure, draw in (
        ("prediction_summary", draw_prediction_summary),
        ("value_distributions", draw_value_distributions),
    ):
        stem = job.run.figures / f"{figure}{ending}"
        paths += draw(true, predicted, path_stem=stem, name=known.description or target, unit=known.unit)
    return paths


def _draw_examples(job: Job, test: pd.DataFrame, target: str, known: ColumnInfo, ending: str) -> list[Path]:
    from metalight.figures import draw_example_grid

    pixels = load_pixels(job.run.pixels)
    examples = select_examples(
        test["object_id"].to_numpy(), test[target].to_numpy(), test[name_predicted(target)].to_numpy()
    )
    shown = pixels.array[pixels.rows_of(examples["object_id"].to_numpy())]
    images, note = make_display(shown, job.recipe.cutouts.bands)
    stem = job.run.figures / f"example_grid{ending}"
    examples = examples.assign(object_id=name_all(examples["object_id"]))
    return draw_example_grid(examples, images, path_stem=stem, name=known.description or target, note=note)


def _draw_use(job: Job, test: pd.DataFrame, target: str, known: ColumnInfo, ending: str) -> list[Path]:
    """What a user of the predictions asks: in which range they can be trusted, and what a list of them is worth."""
    from metalight.figures import draw_follow_up, draw_trusted_range

    places = (job.run.metrics_by_prediction("test"), job.run.selection("test"))
    bins, curve = (load_score_table(place)[target] for place in places)
    trusted = load_scores(job.run.metrics("test"))[target].breakdown["trusted_range"]
    name = known.description or target
    stem = job.run.figures / f"trusted_range{ending}"
    paths = draw_trusted_range(bins, trusted, path_stem=stem, name=name, unit=known.unit)
    return paths + draw_follow_up(curve, path_stem=job.run.figures / f"follow_up{ending}", name=name)


def _draw_trends(job: Job, test: pd.DataFrame, target: str, known: ColumnInfo, ending: str) -> list[Path]:
    from metalight.figures import draw_residual_trends

    catalog = load_galaxies(job.run.catalog)
    rows = catalog.frame.set_index("object_id", drop=False).loc[test["object_id"]].reset_index(drop=True)
    found = compute_properties(Table(rows, catalog.info), job.recipe.catalog.properties, path=job.run.catalog)
    shown = [name for name in TREND_PROPERTIES if name in found.frame]
    labels = {name: _label(found.info[name]) for name in shown}
    residuals = test[name_predicted(target)].to_numpy() - test[target].to_numpy()
    return draw_residual_trends(
        {name: found.frame[name].to_numpy() for name in shown},
        residuals,
        path_stem=job.run.figures / f"residual_trends{ending}",
        names=labels,
        unit=known.unit,
    )


def _label(known: ColumnInfo) -> str:
    return known.description if known.unit in ("", "dex") else f"{known.description} [{known.unit}]"


_DRAWN_OF_A_TARGET: tuple[Callable[[Job, pd.DataFrame, str, ColumnInfo, str], list[Path]], ...] = (
    _draw_predictions,
    _draw_examples,
    _draw_use,
    _draw_trends,
)


def _figures_settings(recipe: Recipe) -> dict[str, Any]:
    return {
        "targets": list(recipe.catalog.targets),
        "properties": recipe.catalog.properties,
        "bands": list(recipe.cutouts.bands),
    }


FIGURES_STAGE = Stage(
    "figures",
    after=("catalog", "pixels", "training", "prediction", "evaluation"),
    perform=_perform_figures,
    settings=_figures_settings,
    outputs=lambda run: [run.figures],
)
