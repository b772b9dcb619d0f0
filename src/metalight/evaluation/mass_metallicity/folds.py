"""Cross-validation: what a quantity's relation to others leaves unexplained, of galaxies that it was not fitted to."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from metalight.evaluation.mass_metallicity.smooth import build_design, choose_knots

FloatArray = npt.NDArray[np.float64]

NUM_FOLDS = 5


def assign_folds(num_galaxies: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """The fold of each galaxy, 0 to 4: the same for equally many galaxies and the same seed."""
    folds = np.arange(num_galaxies) % NUM_FOLDS
    return np.random.default_rng(seed).permutation(folds)


def compute_left_over(target: FloatArray, inputs: Sequence[FloatArray], *, seed: int = 0) -> FloatArray:
    """Residual of each galaxy, predicted − true, about a smooth relation fitted to the other folds.

    The knots lie where all inputs are; the target has no part in them.

    Args:
        target: Finite, shape (galaxies,).
        inputs: Likewise, each.
        seed: Of the folds.
    """
    knots = [choose_knots(each, 7) for each in inputs]
    design = build_design(inputs, knots, has_products=True)
    folds = assign_folds(len(target), seed)
    left = np.empty_like(target)
    for fold in range(NUM_FOLDS):
        is_held = folds == fold
        coefficients = np.linalg.lstsq(design[~is_held], target[~is_held], rcond=1e-10)[0]
        left[is_held] = design[is_held] @ coefficients - target[is_held]
    return left
