"""The best and worst errors possible on a simulated survey."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.simulation import relations

VISIBLE_PARAMETERS = ("log_mass", "log_sfr", "fourth_parameter")
"""What the visible part of the metallicity follows from."""

_LEAST_GALAXIES, _MOST_GALAXIES = 100, 5000
"""A forest of fewer galaxies tells nothing; one of more takes long, and is hardly better."""


def compute_limits(population: pd.DataFrame) -> pd.DataFrame:
    """Root-mean-square errors against the measured metallicity, dex, by what is known of a galaxy.

    Args:
        population: Of `draw_population`.

    Returns:
        Columns `what` and `rmse_dex`: the mean of all; the true mass alone, by its relation; a forest of 300 trees on
        the true visible parameters, each galaxy told by the trees that did not learn from it, an upper guide to what is
        within reach (of 100 galaxies or more; of the first 5,000); all that is visible, which leaves the invisible
        scatter and the errors of the labels: a lower bound of any method's error, as images have noise.
    """
    measured = population["measured_metallicity"].to_numpy()
    mass_alone = relations.compute_mass_metallicity(population["log_mass"].to_numpy())
    errors = {
        "the mean of all galaxies": measured.mean() - measured,
        "the true mass, by the mass–metallicity relation": mass_alone - measured,
    }
    if len(population) >= _LEAST_GALAXIES:
        some = population[:_MOST_GALAXIES]
        errors["the true visible parameters, by a forest"] = _predict_by_forest(some) - measured[: len(some)]
    visible = population["visible_metallicity"].to_numpy()
    errors["all that is visible, exactly: no method can do better"] = visible - measured
    rows = [(what, float(np.sqrt(np.mean(error**2)))) for what, error in errors.items()]
    return pd.DataFrame(rows, columns=["what", "rmse_dex"])


def _predict_by_forest(population: pd.DataFrame) -> npt.NDArray[np.float64]:
    """What the trees say together of galaxies that they did not learn from."""
    # scikit-learn is slow to import, and needed only here.
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(300, min_samples_leaf=10, oob_score=True, random_state=0)
    forest.fit(population[list(VISIBLE_PARAMETERS)].to_numpy(), population["measured_metallicity"].to_numpy())
    predicted: npt.NDArray[np.float64] = forest.oob_prediction_
    return predicted
