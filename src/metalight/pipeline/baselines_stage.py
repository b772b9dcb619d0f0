"""The stage that fits baselines to the training galaxies, and what the evaluation makes of their predictions."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.atomic import save_json
from metalight.baselines import BASELINES, Fitted, Galaxies, fit_baseline
from metalight.catalog import compute_properties, name_property
from metalight.evaluation import BaselineFacts, BesideScores, choose_decimals, format_number, score_beside
from metalight.images import (
    APERTURES_VERSION,
    SMALLEST_SIDE_FOR_APERTURES,
    Pixels,
    load_pixels,
    measure_apertures,
    measure_mean_levels,
    name_apertures,
)
from metalight.metrics import compute_rmse
from metalight.pipeline.splits_stage import load_set
from metalight.pipeline.stage import Job, Stage
from metalight.run_folder import RunFolder, name_predicted
from metalight.small_files import load_json
from metalight.splits import SCORED_SETS, SPLITS
from metalight.tables import Table, load_galaxies, save_galaxies
from metalight.unfinished import UnfinishedWork, go_on_with, name_unfinished

_GALAXIES_A_PART = 2048

BoolArray = npt.NDArray[np.bool_]


def name_by_baseline(target: str, baseline: str) -> str:
    """The column that holds a baseline's predictions of a target."""
    return f"{target}_by_{baseline}"


def score_baselines(job: Job) -> dict[str, list[BesideScores]]:
    """The baselines of each target beside the network's predictions, of the test galaxies.

    Targets of which fewer than two galaxies have a true value are left out.
    """
    facts = _load_facts(job.run)
    network = load_galaxies(job.run.predictions("test")).frame
    ours = load_galaxies(_place(job.run, "test")).frame
    ours = ours.set_index("object_id").loc[network["object_id"]]
    settings, nothing = job.recipe.evaluation, np.full(len(network), np.nan)
    scores = {}
    for target, of_target in facts.items():
        if network[target].count() < 2:
            continue
        columns = [(each, name_by_baseline(target, each.name)) for each in of_target]
        scores[target] = score_beside(
            network[target],
            network[name_predicted(target)],
            [(each, ours.get(column, nothing)) for each, column in columns],
            num_bootstrap=settings.bootstrap_samples,
            seed=settings.seed,
        )
    return scores


def _load_facts(run: RunFolder) -> dict[str, list[BaselineFacts]]:
    stored = load_json(run.baseline_fits)
    return {target: [BaselineFacts(**facts) for facts in of_target] for target, of_target in stored.items()}


def _place(run: RunFolder, split: str) -> Any:
    return run.predictions(f"baselines_{split}")


def _perform_baselines(job: Job) -> str:
    names, targets = job.recipe.baselines.names, job.recipe.catalog.targets
    sets = {split: load_set(job, split) for split in SPLITS}
    frame = pd.concat([each.frame for each in sets.values()], ignore_index=True)
    splits = np.repeat(list(sets), [len(each.frame) for each in sets.values()])
    info = sets["train"].info
    galaxies = _gather(job, Table(frame, info))
    with go_on_with(_place(job.run, "test"), job.identity) as work:
        fitted = _fit_all(job, galaxies, frame, splits, work)
        for split in SCORED_SETS:
            is_of_set = splits == split
            columns = {
                name_by_baseline(target, name): pd.Series(fitted[target][name].predicted[is_of_set])
                for target in targets
                for name in names
                if not fitted[target][name].left_out
            }
            known = frame.loc[is_of_set, ["object_id", *targets]].reset_index(drop=True)
            of_targets = {target: info[target] for target in targets if target in info}
            save_galaxies(Table(known.assign(**columns), of_targets), _place(job.run, split))
        facts = {target: [_describe(name, fitted[target][name]) for name in names] for target in targets}
        stored = {target: [dataclasses.asdict(each) for each in of_target] for target, of_target in facts.items()}
        save_json(stored, job.run.baseline_fits)
    return _tell(frame, splits, fitted) if names else "none asked for: [baselines] kinds is empty"


def _describe(name: str, fitted: Fitted) -> BaselineFacts:
    sees = BASELINES[name].sees.words
    return BaselineFacts(name, sees, fitted.num_numbers, fitted.num_training, fitted.left_out, fitted.note)


def _tell(frame: pd.DataFrame, splits: npt.NDArray[np.str_], fitted: Mapping[str, Mapping[str, Fitted]]) -> str:
    """One line: how many were fitted, and the best by the validation galaxies, on which nobody is to be judged."""
    told = []
    for target, by_name in fitted.items():
        there = {name: each for name, each in by_name.items() if not each.left_out}
        line = f"{target}: {len(there)} of {len(by_name)} fitted"
        errors = {}
        truth = frame[target].to_numpy(dtype=np.float64)
        for name, each in there.items():
            is_scored = (splits == "validation") & np.isfinite(truth) & np.isfinite(each.predicted)
            if is_scored.any():
                errors[name] = compute_rmse(truth[is_scored], each.predicted[is_scored])
        if errors:
            best = min(errors, key=errors.__getitem__)
            error = format_number(errors[best], choose_decimals(errors[best]))
            line += f", the best of the validation galaxies {best}, RMSE {error}"
        told.append(line)
    return "; ".join(told)


def _gather(job: Job, table: Table) -> Galaxies:
    """All that the wanted baselines may see of all galaxies."""
    seen = [BASELINES[name].sees for name in job.recipe.baselines.names]
    wanted = {each.image for each in seen}
    properties: dict[str, npt.NDArray[np.float64]] = {}
    if any(each.properties for each in seen):
        known = compute_properties(table, job.recipe.catalog.properties, path=job.run.catalog).frame
        properties = {str(name): known[name].to_numpy() for name in known}
    object_ids = table.frame["object_id"].to_numpy()
    pixels = load_pixels(job.run.pixels)
    images, why_not = {}, {}
    if "levels" in wanted:
        images["levels"] = measure_mean_levels(pixels.array, pixels.rows_of(object_ids))
    job.run.aperture_numbers.unlink(missing_ok=True)
    if "apertures" in wanted and pixels.side < SMALLEST_SIDE_FOR_APERTURES:
        why_not["apertures"] = f"images of {pixels.side} px a side have no rings"
    elif "apertures" in wanted:
        images["apertures"] = _measure_apertures(job, pixels, object_ids)
    return Galaxies(object_ids, properties, images, why_not)


def _measure_apertures(job: Job, pixels: Pixels, object_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The numbers of all galaxies (galaxy, number), kept in a table of the run."""
    bands = [f"band_{band}" for band in range(pixels.array.shape[3])]
    if len(job.recipe.cutouts.bands) == len(bands):
        bands = list(job.recipe.cutouts.bands)
    rows, names, parts = pixels.rows_of(object_ids), name_apertures(bands), []
    with (
        go_on_with(job.run.aperture_numbers, job.identity) as work,
        job.progress("Measuring images", len(rows)) as advance,
    ):
        for first in range(0, len(rows), _GALAXIES_A_PART):
            part = slice(first, min(first + _GALAXIES_A_PART, len(rows)))
            table = work.load(part)
            if table is None:
                table = work.keep(part, pd.DataFrame(measure_apertures(pixels.array, rows[part]), columns=names))
            advance(part.stop - part.start)
            parts.append(table)
        measured = pd.concat(parts, ignore_index=True)
        whole = pd.concat([pd.DataFrame({"object_id": object_ids}), measured], axis=1)
        save_galaxies(Table(whole, {}), job.run.aperture_numbers)
    return measured.to_numpy(dtype=np.float64)


def _fit_all(
    job: Job, galaxies: Galaxies, frame: pd.DataFrame, splits: npt.NDArray[np.str_], work: UnfinishedWork
) -> dict[str, dict[str, Fitted]]:
    """Each baseline for each target, by target and name; what an interrupted stage has fitted is taken as it is."""
    names, targets = job.recipe.baselines.names, job.recipe.catalog.targets
    fitted: dict[str, dict[str, Fitted]] = {target: {} for target in targets}
    with job.progress("Fitting baselines", len(targets) * len(names)) as advance:
        for number, (target, name) in enumerate((target, name) for target in targets for name in names):
            part = slice(number, number + 1)
            fitted[target][name] = _load_fitted(work, part) or _keep_fitted(
                work,
                part,
                fit_baseline(
                    name,
                    galaxies,
                    frame[target].to_numpy(dtype=np.float64),
                    is_training=splits == "train",
                    is_validation=splits == "validation",
                    is_metallicity=name_property(target, job.recipe.catalog.properties) == "metallicity",
                    seed=job.recipe.baselines.seed,
                ),
            )
            advance(1)
    return fitted


def _load_fitted(work: UnfinishedWork, part: slice) -> Fitted | None:
    table = work.load(part)
    if table is None:
        return None
    facts: dict[str, Any] = {str(key): value for key, value in table.attrs.items()}
    return Fitted(table["predicted"].to_numpy(), **facts)


def _keep_fitted(work: UnfinishedWork, part: slice, fitted: Fitted) -> Fitted:
    table = pd.DataFrame({"predicted": fitted.predicted})
    table.attrs = {key: value for key, value in vars(fitted).items() if key != "predicted"}
    work.keep(part, table)
    return fitted


def _list_outputs(run: RunFolder) -> list[Any]:
    always = [*(_place(run, split) for split in SCORED_SETS), run.baseline_fits]
    return [*always, *([run.aperture_numbers] if run.aperture_numbers.is_file() else [])]


BASELINES_STAGE = Stage(
    "baselines",
    after=("catalog", "pixels", "splits"),
    perform=_perform_baselines,
    settings=lambda recipe: {
        "names": list(recipe.baselines.names),
        **({"seed": recipe.baselines.seed} if recipe.baselines.names else {}),
        "targets": list(recipe.catalog.targets),
        "properties": dict(recipe.catalog.properties),
        "apertures_version": APERTURES_VERSION,
    },
    outputs=_list_outputs,
    unfinished=lambda run: [name_unfinished(_place(run, "test")), name_unfinished(run.aperture_numbers)],
)
"""Before the network: what it must beat is known by then."""
