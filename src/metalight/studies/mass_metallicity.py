"""The draft's section 5 of a run: the mass–metallicity relation, and what the predictions know of metallicity.

RUN/studies/mass-metallicity/
├── results.json      every number with its intervals, the verdicts, and what of the published relations is unverified
├── summary.txt       the findings in words, as they are printed
├── galaxies.csv      the test galaxies: measured and predicted metallicity and mass, star formation
├── relation.csv, slopes.csv, scatter_ratios.csv, routes.csv, error_budget.csv, error_budget_by_mass.csv
├── sfr_residuals.csv, fundamental_relations.csv, fourth_parameter.csv
└── figures/          each as PNG and PDF, with the numbers drawn as CSV
"""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from metalight.atomic import replace_file, save_json
from metalight.catalog import PROPERTIES, compute_properties, name_property
from metalight.errors import EvaluationError, RunError, explain_system, name_nearest
from metalight.evaluation import compare_predictions, replace_nan
from metalight.evaluation.mass_metallicity import (
    GROUP_WIDTH_DEX,
    MASS_ERROR_DEX,
    MassMetallicityStudy,
    StudyGalaxies,
    compute_partial_correlation,
    compute_study,
    find_error,
    select_galaxies,
    shuffle_within_mass,
)
from metalight.outputs import check_outputs
from metalight.pipeline import PREDICTIONS_STUDIED, find_missing, write_results
from metalight.progress import Progress, no_progress
from metalight.recipe import load_recipe
from metalight.run_folder import RunFolder, compute_digest, name_predicted
from metalight.studies.draw_mass_metallicity import draw_mass_metallicity_study
from metalight.tables import Table, load_galaxies, load_table, save_galaxies, save_table

FloatArray = npt.NDArray[np.float64]

FOLDER = Path("studies") / "mass-metallicity"

UNSHUFFLED = "{}_unshuffled"
"""The column of a shuffled catalogue that keeps the labels as they were."""


@dataclass(frozen=True, eq=False)
class MassMetallicityReport:
    """The result and its files."""

    study: MassMetallicityStudy
    num_left_out: int
    """Test galaxies without a prediction, a metallicity or a mass."""
    notes: list[str]
    paths: list[Path]


@dataclass(frozen=True, eq=False)
class _Run:
    """Inputs of the study from a run."""

    folder: RunFolder
    object_ids: npt.NDArray[np.int64]
    """Of the catalogue."""
    properties: dict[str, FloatArray]
    """Of all galaxies of the catalogue, in its order."""
    labels: dict[str, FloatArray]
    """Labels in the catalogue by target."""
    columns: Mapping[str, str]
    """What the user calls properties: `[catalog.properties]` of the recipe."""
    splits: npt.NDArray[np.str_]
    """The set of each galaxy of the catalogue; empty: in none."""

    def align(self, table: Table, column: str) -> FloatArray:
        """A column of a table of predictions in the order of the catalogue, NaN elsewhere."""
        values = table.frame.set_index("object_id")[column].reindex(self.object_ids)
        return values.to_numpy(dtype=np.float64, na_value=np.nan)


def study_mass_metallicity(
    path: Path,
    *,
    mass_run: Path | None = None,
    null_run: Path | None = None,
    metallicity: str = "",
    mass: str = "",
    num_bootstrap: int = 1000,
    seed: int = 0,
    progress: Progress = no_progress,
) -> MassMetallicityReport:
    """Study the mass–metallicity relation of a finished run, and write what comes out into it.

    Args:
        path: A run folder with predictions of metallicity.
        mass_run: Another run, with predictions of mass of the same galaxies; None: the run itself, if it has any.
        null_run: A run on a catalogue of `write_shuffled_catalog`: what predictions know that learnt of mass alone.
        metallicity: The target that is the metallicity; empty: known by its name.
        mass: The target that is the mass; empty: known by its name.
        num_bootstrap: Samples behind the intervals.
        seed: Of every draw.
        progress: Shows how far the study is.

    Raises:
        RunError: A folder is not a finished run, or cannot be written to.
        InUseError: The run is in progress.
        EvaluationError: There are no predictions of metallicity, no masses, or too few galaxies with both.
    """
    run = _load_run(path)
    check_outputs(path / FOLDER / "results.json")
    target, columns = _find_target(run, metallicity, "metallicity")
    predicted = run.align(columns, name_predicted(target))
    truth = run.labels.get(target, run.properties.get("metallicity"))
    log_mass = run.properties.get("log_mass")
    if truth is None or log_mass is None:
        lacking = "metallicities" if truth is None else "masses"
        raise EvaluationError(
            f"{run.folder.catalog} has no {lacking}, which this study needs"
            f"{_tell_unusable(run.folder.catalog, 'metallicity' if truth is None else 'log_mass')}: add a column "
            f"{' or '.join(PROPERTIES['metallicity' if truth is None else 'log_mass'].columns)} to the catalogue, or "
            "name yours in [catalog.properties]."
        )
    if mass_run is None and mass == target:
        raise EvaluationError(f"--mass names {target}, which is the metallicity; name the target that is the mass.")
    predicted_mass, notes = _load_predicted_mass(run, mass_run, mass)
    test, num_left_out = _select(run, ["test"], truth, log_mass, predicted, predicted_mass, "the test set")
    others = ["train", "validation"]
    reference, _ = _select(run, others, truth, log_mass, None, None, "the training and validation sets")
    known = _select_known(run, truth, log_mass, predicted_mass)
    everyone, _ = select_galaxies(truth, log_mass, None, properties=run.properties, whose="the catalogue")
    with threadpool_limits(1):  # products of matrices by several threads differ in the last digits
        study = compute_study(
            test, reference, everyone, known, num_bootstrap=num_bootstrap, seed=seed, progress=progress
        )
        if null_run is not None:
            result, sentence = _study_null_run(run, null_run, predicted_mass, target, num_bootstrap, seed)
            study.results["null_run"] = result
            study.sentences.append(sentence)
    settings = {
        "target": target,
        "mass_run": None if mass_run is None else str(mass_run),
        "null_run": None if null_run is None else str(null_run),
        PREDICTIONS_STUDIED: compute_digest([run.folder.predictions("test")]),
        "num_left_out": num_left_out,
        "bootstrap_samples": num_bootstrap,
        "seed": seed,
    }
    ids = run.object_ids[_is_in(run, ["test"]) & np.isfinite(truth) & np.isfinite(log_mass) & np.isfinite(predicted)]
    with run.folder.hold():
        paths = _save(study, settings, ids, test, run.folder.path / FOLDER)
        if not find_missing(run.folder):
            paths += write_results(run.folder, load_recipe(str(run.folder.recipe)))
    return MassMetallicityReport(study, num_left_out, notes, paths)


def write_shuffled_catalog(path: Path, output: Path, *, metallicity: str = "", seed: int = 0) -> Path:
    """The catalogue of a run with metallicities exchanged among galaxies within 0.1 dex of mass.

    A run on it, with the same recipe but for `catalog.path`, learns what mass tells and nothing else. The labels as
    they were are kept in a column TARGET_unshuffled.

    Args:
        path: The run folder.
        output: The catalogue to write, in any format of `save_table`.
        metallicity: The target; empty: known by its name.
        seed: Of the exchange.

    Raises:
        RunError: The folder is not a run.
        EvaluationError: It has no metallicities or no masses.
    """
    run = _load_run(path)
    check_outputs(output)
    target = _find_name(run, list(run.labels), metallicity, "metallicity", run.folder.catalog)
    log_mass = run.properties.get("log_mass")
    if log_mass is None:
        raise EvaluationError(
            f"{run.folder.catalog} has no masses to exchange labels by; name their column in [catalog.properties]."
        )
    catalog = load_table(run.folder.catalog, missing_values=())
    shuffled = shuffle_within_mass(run.labels[target], log_mass, seed, width=GROUP_WIDTH_DEX)
    frame = catalog.frame.copy()
    frame[UNSHUFFLED.format(target)] = frame[target]
    frame[target] = shuffled
    save_table(Table(frame, catalog.info), output)
    return output


def _load_run(path: Path) -> _Run:
    folder = RunFolder(path)
    if not path.is_dir() or not folder.is_run():
        raise RunError(f"{path} is not a run folder; give one that `metalight run` has made.")
    again = f"metalight run {shlex.quote(str(path))}"
    for needed in (folder.catalog, folder.splits, folder.recipe):
        if not needed.is_file():
            raise RunError(f"The run {path} has no {needed.name} yet; finish it with `{again}`.")
    recipe = load_recipe(str(folder.recipe))
    catalog = load_galaxies(folder.catalog)
    properties = compute_properties(catalog, recipe.catalog.properties, path=folder.catalog).frame
    splits = load_galaxies(folder.splits).frame.set_index("object_id")["split"]
    object_ids = catalog.frame["object_id"].to_numpy(dtype=np.int64)
    return _Run(
        folder,
        object_ids,
        {str(name): properties[name].to_numpy() for name in properties},
        {
            target: pd.to_numeric(catalog.frame[target]).to_numpy(dtype=np.float64, na_value=np.nan)
            for target in recipe.catalog.targets
            if target in catalog.frame
        },
        recipe.catalog.properties,
        splits.reindex(object_ids).fillna("").to_numpy(dtype=str),
    )


def _load_predictions(run: _Run, split: str) -> Table | None:
    path = run.folder.predictions(split)
    return load_galaxies(path) if path.is_file() else None


def _find_target(run: _Run, given: str, name: str) -> tuple[str, Table]:
    """The target that is a property, and the predictions of the test galaxies."""
    table = _load_predictions(run, "test")
    if table is None:
        raise RunError(f"The run {run.folder.path} has no predictions of its test galaxies yet; finish it first.")
    return _find_name(run, _list_targets(table), given, name, run.folder.predictions("test")), table


def _list_targets(table: Table) -> list[str]:
    ending = name_predicted("")
    return [str(name).removesuffix(ending) for name in table.frame.columns if str(name).endswith(ending)]


def _find_name(run: _Run, targets: list[str], given: str, name: str, where: Path) -> str:
    """Which of the targets is a property: the one that the user names, here or in the recipe, or one known by name."""
    if given:
        if given in targets:
            return given
        raise EvaluationError(f"{where} has no target '{given}'.{name_nearest(given, targets)}")
    found = [target for target in targets if name_property(target, run.columns) == name]
    if len(found) == 1:
        return found[0]
    option = "--metallicity" if name == "metallicity" else "--mass"
    flaw = "several targets" if found else "no target"
    raise EvaluationError(
        f"{where} has {flaw} known as {name.replace('log_', '')}; name yours with {option}."
        f"{name_nearest('', targets) if targets else ''}"
    )


def _load_predicted_mass(run: _Run, mass_run: Path | None, mass: str) -> tuple[FloatArray | None, list[str]]:
    """Predicted masses of the run's test and validation galaxies, and what should be said of them."""
    source = run if mass_run is None else _load_run(mass_run)
    table = _load_predictions(source, "test")
    if table is None:
        raise RunError(f"The run {source.folder.path} has no predictions of its test galaxies yet; finish it first.")
    targets = _list_targets(table)
    is_named = mass or any(name_property(target, run.columns) == "log_mass" for target in targets)
    if mass_run is None and not is_named:
        return None, ["No predicted masses: this run predicts none, and --mass-run names no other that does."]
    target = _find_name(source, targets, mass, "log_mass", source.folder.predictions("test"))
    values = run.align(table, name_predicted(target))
    validation = _load_predictions(source, "validation")
    if validation is not None:
        values = np.where(np.isfinite(values), values, run.align(validation, name_predicted(target)))
    notes = []
    if mass_run is not None:
        learnt = np.isin(run.object_ids, source.object_ids[source.splits == "train"])
        num_learnt = int((learnt & np.isfinite(values)).sum())
        values = np.where(learnt, np.nan, values)
        num = int(np.isfinite(values[_is_in(run, ["test"])]).sum())
        if num == 0:
            raise EvaluationError(
                f"{mass_run} predicts the mass of none of the test galaxies of {run.folder.path}; give a run with the "
                "same catalogue and [splits]."
            )
        told = f"{mass_run} predicts the masses of {num:,} of the {int(_is_in(run, ['test']).sum()):,} test galaxies"
        notes.append(f"{told}; {num_learnt:,} that it learnt from are left out." if num_learnt else f"{told}.")
    return values, notes


def _is_in(run: _Run, sets: list[str]) -> npt.NDArray[np.bool_]:
    return np.isin(run.splits, sets)


def _select(
    run: _Run,
    sets: list[str],
    truth: FloatArray,
    log_mass: FloatArray,
    predicted: FloatArray | None,
    predicted_mass: FloatArray | None,
    whose: str,
) -> tuple[StudyGalaxies, int]:
    inside = _is_in(run, sets)
    return select_galaxies(
        truth[inside],
        log_mass[inside],
        None if predicted is None else predicted[inside],
        log_mass_predicted=None if predicted_mass is None else predicted_mass[inside],
        properties={name: values[inside] for name, values in run.properties.items()},
        whose=f"{whose} of {run.folder.path}",
    )


def _select_known(
    run: _Run, truth: FloatArray, log_mass: FloatArray, predicted_mass: FloatArray | None
) -> StudyGalaxies | None:
    """Validation galaxies with a predicted mass; None if there are too few."""
    if predicted_mass is None:
        return None
    try:
        known, _ = _select(run, ["validation"], truth, log_mass, predicted_mass, predicted_mass, "the validation set")
    except EvaluationError:
        return None
    return known


def _tell_unusable(catalog: Path, name: str) -> str:
    """Of a column that is called like a property and still is none: why it was passed over."""
    known = PROPERTIES[name]
    wanted = {column.casefold() for column in known.columns}
    found = [str(column) for column in load_table(catalog, missing_values=()).frame if str(column).casefold() in wanted]
    told = f" ({' and '.join(found)}: no numbers from {known.limits[0]:g} to {known.limits[1]:g})"
    return told if found else ""


def _agree(run: _Run, labels: FloatArray | None, other: _Run, other_labels: FloatArray) -> bool:
    """Whether two runs have the same labels for all of their common galaxies."""
    if labels is None:
        return False
    theirs = pd.Series(other_labels, index=other.object_ids).reindex(run.object_ids).to_numpy()
    is_both = np.isfinite(labels) & np.isfinite(theirs)
    return bool(is_both.any()) and bool((labels[is_both] == theirs[is_both]).all())


def _study_null_run(
    run: _Run, path: Path, predicted_mass: FloatArray | None, target: str, num_bootstrap: int, seed: int
) -> tuple[dict[str, Any], str]:
    """What predictions that learnt from exchanged labels know of the real ones, beside ours."""
    null = _load_run(path)
    name, table = _find_target(null, target if target in null.labels else "", "metallicity")
    ids = run.object_ids
    if name in null.labels and _agree(run, run.labels.get(target), null, null.labels[name]):
        raise EvaluationError(
            f"{path} has learnt from the same metallicities as {run.folder.path}, so it is not a null run: write a "
            "catalogue with --shuffled-catalog, and give a run on that."
        )
    of_null = run.align(table, name_predicted(name))
    of_null = np.where(np.isin(ids, null.object_ids[null.splits == "train"]), np.nan, of_null)
    truth, log_mass = run.labels[target], run.properties["log_mass"]
    ours = run.align(_find_target(run, target, "metallicity")[1], name_predicted(target))
    is_both = _is_in(run, ["test"]) & np.isfinite(np.stack([truth, log_mass, ours, of_null])).all(axis=0)
    if is_both.sum() < 2:
        raise EvaluationError(
            f"{path} predicts none of the test galaxies of {run.folder.path}; give a run with the same [splits]."
        )
    rmse = compare_predictions(truth[is_both], of_null[is_both], ours[is_both], num_bootstrap=max(num_bootstrap, 100))
    difference = rmse.metrics["rmse"].difference_95
    error = find_error(run.properties, "log_mass", MASS_ERROR_DEX)
    controls = {"fixed measured mass": [log_mass]}
    if predicted_mass is not None:
        controls["fixed measured and predicted mass"] = [log_mass, predicted_mass]
    partials, told = {}, []
    for name, values in controls.items():
        rows = is_both & np.isfinite(np.stack(values)).all(axis=0)
        both = [
            compute_partial_correlation(
                truth[rows],
                each[rows],
                [value[rows] for value in values],
                [error.dex, 0.0][: len(values)],
                num_bootstrap=num_bootstrap,
                seed=seed,
            )
            for each in (of_null, ours)
        ]
        partials[name] = {"null_run": dataclasses.asdict(both[0]), "run": dataclasses.asdict(both[1])}
        left = [f"{each.value:.2f} ({each.low_95:.2f} to {each.high_95:.2f})" for each in (x.corrected for x in both)]
        told.append(f"at {name} by {left[0]}, where the run's go by {left[1]}")
    results = {
        "num_galaxies": int(is_both.sum()),
        "rmse_difference": dataclasses.asdict(difference),
        "partial_correlations": partials,
    }
    sentence = (
        f"A run on labels exchanged within {GROUP_WIDTH_DEX} dex of mass predicts the real ones with an RMSE that is "
        f"{-difference.value:.4f} dex larger (95 % interval {-difference.high:.4f} to {-difference.low:.4f}; "
        f"{int(is_both.sum()):,} galaxies). Its predictions go with the metallicity {'; and '.join(told)}."
    )
    return results, sentence


def _save(
    study: MassMetallicityStudy,
    settings: Mapping[str, Any],
    object_ids: npt.NDArray[np.int64],
    test: StudyGalaxies,
    folder: Path,
) -> list[Path]:
    galaxies = pd.DataFrame({"object_id": object_ids, "metallicity": test.metallicity, "log_mass": test.log_mass})
    galaxies["metallicity_predicted"] = test.predicted
    if test.log_mass_predicted is not None:
        galaxies["log_mass_predicted"] = test.log_mass_predicted
    for name in ("log_sfr", "log_sfr_fibre"):
        if name in test.properties:
            galaxies[name] = test.properties[name]
    paths = [folder / "results.json", folder / "summary.txt"]
    try:
        save_json(replace_nan({**settings, **study.results}), paths[0])
        with replace_file(paths[1]) as temporary:
            temporary.write_text("\n\n".join(study.sentences) + "\n", encoding="utf-8")
        for name, frame in {"galaxies": galaxies, **study.tables}.items():
            paths.append(folder / f"{name}.csv")
            save = save_galaxies if name == "galaxies" else save_table
            save(Table(frame.reset_index(drop=True), {}), paths[-1])
        paths += draw_mass_metallicity_study(galaxies, study.tables, study.results, folder / "figures")
        for left in set(folder.glob("*.csv")) - set(paths):
            left.unlink()  # of an earlier study, that found what this one did not
    except OSError as error:
        raise RunError(f"The study cannot be written to {folder}: {explain_system(error)}; fix that.") from error
    return paths
