"""What no method can do better than on a simulated survey."""

import numpy as np
import pandas as pd

from metalight.simulate import relations


def compute_limits(population: pd.DataFrame) -> pd.DataFrame:
    """Root-mean-square errors against the measured metallicity, dex, by what is known of a galaxy.

    Returns:
        Columns `what` and `rmse_dex`: the mean of all; the true mass alone, by its relation; all that is visible, which
        leaves the invisible scatter and the errors of the labels: a lower bound of any method's error, as images have
        noise.
    """
    measured = population["measured_metallicity"].to_numpy()
    mass_alone = relations.compute_mass_metallicity(population["log_mass"].to_numpy())
    rows = [
        ("the mean of all galaxies", measured.mean()),
        ("the true mass, by the mass–metallicity relation", mass_alone),
        ("all that is visible, exactly: no method can do better", population["visible_metallicity"].to_numpy()),
    ]
    return pd.DataFrame(
        [(what, float(np.sqrt(np.mean((measured - predicted) ** 2)))) for what, predicted in rows],
        columns=["what", "rmse_dex"],
    )
