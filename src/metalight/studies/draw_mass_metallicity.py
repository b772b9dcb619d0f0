"""The figures of the study of mass and metallicity, of its tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from metalight.catalog import PROPERTIES

_MASS = PROPERTIES["log_mass"].label
_NAMES = {
    ("measured", "measured"): "relation_measured",
    ("predicted", "measured"): "relation_predicted",
    ("measured", "predicted"): "relation_of_predicted_mass",
    ("predicted", "predicted"): "relation_of_both_predicted",
}
"""Stem of a figure by where metallicity and mass are from."""


def draw_mass_metallicity_study(
    galaxies: pd.DataFrame, tables: Mapping[str, pd.DataFrame], results: Mapping[str, Any], folder: Path
) -> list[Path]:
    """Draw and save what the study found, as PNG and PDF, and the numbers drawn as CSV.

    Args:
        galaxies: metallicity, log_mass, metallicity_predicted and, where there is one, log_mass_predicted.
        tables: As of `metalight.evaluation.mass_metallicity.MassMetallicityStudy`.
        results: Likewise.
        folder: Where figures go.

    Returns:
        The paths written.
    """
    from metalight.figures import draw_error_budget, draw_fourth_parameter, draw_scatter_ratio, draw_stellar_mass

    paths = _draw_relations(galaxies, tables["relation"], folder)
    if "log_mass_predicted" in galaxies:
        masses = galaxies["log_mass"], galaxies["log_mass_predicted"]
        paths += draw_stellar_mass(*masses, galaxies["metallicity"], path_stem=folder / "stellar_mass")
    if "scatter_ratios" in tables:
        for name, bins in tables["scatter_ratios"].groupby("predicted", sort=False):
            found = results["scatter_ratios"][name]
            lines = {
                "seen, mean over bins": found["mean"]["value"],
                "by shrinkage alone": found["shrinkage_alone"],
                "residuals put back": found["residuals_put_back"],
            }
            stem = folder / f"scatter_ratio_{str(name).split(',')[0].replace(' ', '_')}"
            if "," not in str(name):  # the hard cut is in the table only
                paths += draw_scatter_ratio(bins, lines, path_stem=stem)
    if "error_budget" in tables:
        paths += draw_error_budget(tables["error_budget"], path_stem=folder / "error_budget")
    if "fourth_parameter" in tables:
        names = {name: known.label for name, known in PROPERTIES.items()}
        paths += draw_fourth_parameter(tables["fourth_parameter"], path_stem=folder / "fourth_parameter", names=names)
    return paths


def _draw_relations(galaxies: pd.DataFrame, relation: pd.DataFrame, folder: Path) -> list[Path]:
    from metalight.figures import draw_mass_metallicity

    paths = []
    for group, bins in relation.groupby(["metallicity", "mass"], sort=False):
        of_metallicity, of_mass = (str(kind) for kind in group)
        x = galaxies["log_mass" if of_mass == "measured" else "log_mass_predicted"]
        y = galaxies["metallicity" if of_metallicity == "measured" else "metallicity_predicted"]
        paths += draw_mass_metallicity(
            x,
            y,
            bins.drop(columns=["metallicity", "mass"]).reset_index(drop=True),
            path_stem=folder / _NAMES[of_metallicity, of_mass],
            labels=(f"{of_mass.capitalize()} {_MASS}", f"{of_metallicity.capitalize()} 12 + log(O/H)"),
        )
    return paths
