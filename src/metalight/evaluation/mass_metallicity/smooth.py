"""Smooth relations fitted to galaxies: natural cubic splines, alone or added up, by least squares.

They stand for "the relation of this very sample": no published polynomial is assumed, and nothing is extrapolated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_NUM_KNOTS = 7
_GALAXIES_PER_KNOT = 8
"""Fewer galaxies than this for each knot, and there are fewer knots."""

_STEP = 1e-3
"""Of an input, over which a slope is taken, in units of its standard deviation."""


@dataclass(frozen=True, eq=False)
class SmoothRelation:
    """A quantity as a smooth function of one or several inputs."""

    knots: tuple[FloatArray, ...]
    """Of each input, increasing; one knot alone: the input does not vary."""
    ranges: tuple[tuple[float, float], ...]
    """The smallest and largest value of each input that it was fitted to."""
    coefficients: FloatArray
    has_products: bool

    def predict(self, *inputs: npt.ArrayLike) -> FloatArray:
        """The relation's values, NaN where an input is missing or outside what it was fitted to.

        Args:
            inputs: Each of shape (galaxies,), in the order of the fit.
        """
        given = [np.asarray(each, dtype=np.float64) for each in inputs]
        is_inside = np.ones(given[0].shape, dtype=bool)
        for values, (low, high) in zip(given, self.ranges, strict=True):
            is_inside &= np.isfinite(values) & (values >= low) & (values <= high)
        predicted = np.full(given[0].shape, np.nan)
        predicted[is_inside] = self._evaluate([values[is_inside] for values in given])
        return predicted

    def compute_slopes(self, *inputs: npt.ArrayLike) -> FloatArray:
        """Change of the quantity with each input at each galaxy, shape (galaxies, inputs); inputs must be finite."""
        given = [np.asarray(each, dtype=np.float64) for each in inputs]
        slopes = np.zeros((len(given[0]), len(given)))
        for index, knots in enumerate(self.knots):
            step = _STEP * float(np.ptp(knots))
            if step == 0:
                continue
            sides = [
                self._evaluate([*given[:index], given[index] + sign * step, *given[index + 1 :]]) for sign in (1, -1)
            ]
            slopes[:, index] = (sides[0] - sides[1]) / (2 * step)
        return slopes

    def _evaluate(self, inputs: Sequence[FloatArray]) -> FloatArray:
        return build_design(inputs, self.knots, has_products=self.has_products) @ self.coefficients


def fit_smooth(
    inputs: Sequence[npt.ArrayLike], quantity: npt.ArrayLike, *, num_knots: int = _NUM_KNOTS, has_products: bool = True
) -> SmoothRelation:
    """The relation that leaves the least mean square, a sum of splines and of products of inputs.

    Args:
        inputs: Each finite, shape (galaxies,).
        quantity: Finite, shape (galaxies,).
        num_knots: At most so many for each input; fewer for few galaxies.
        has_products: Whether inputs may act together: the products of each two are added.

    Raises:
        ValueError: There is no galaxy.
    """
    given = [np.asarray(each, dtype=np.float64) for each in inputs]
    target = np.asarray(quantity, dtype=np.float64)
    if len(target) == 0:
        raise ValueError("a relation needs at least one galaxy")
    knots = tuple(choose_knots(each, num_knots) for each in given)
    design = build_design(given, knots, has_products=has_products)
    coefficients = np.asarray(np.linalg.lstsq(design, target, rcond=1e-10)[0], dtype=np.float64)
    ranges = tuple((float(each.min()), float(each.max())) for each in given)
    return SmoothRelation(knots, ranges, coefficients, has_products)


def choose_knots(values: FloatArray, num_knots: int) -> FloatArray:
    """Knots at evenly spaced percentiles from the 1st to the 99th: fewer for few galaxies or few different values."""
    allowed = max(2, min(num_knots, len(values) // _GALAXIES_PER_KNOT))
    return np.unique(np.percentile(values, np.linspace(1, 99, allowed)))


def build_design(inputs: Sequence[FloatArray], knots: Sequence[FloatArray], *, has_products: bool) -> FloatArray:
    """Columns of the regression: 1, a spline of each input, products of each two; shape (galaxies, columns)."""
    columns = [np.ones((len(inputs[0]), 1))]
    scaled = []
    for values, places in zip(inputs, knots, strict=True):
        if len(places) < 2:
            scaled.append(np.zeros(len(values)))
            continue
        scaled.append((values - places.mean()) / np.ptp(places))
        columns.append(_build_natural_spline(values, places))
    if has_products:
        for first in range(len(scaled)):
            columns += [(scaled[first] * scaled[second])[:, None] for second in range(first + 1, len(scaled))]
    return np.concatenate(columns, axis=1)


def _build_natural_spline(values: FloatArray, knots: FloatArray) -> FloatArray:
    """Cubic between the knots, a straight line beyond them: Hastie, Tibshirani & Friedman 2009, eqs. 5.4 and 5.5."""
    scale = float(np.ptp(knots))
    x, places = (values - knots[0]) / scale, (knots - knots[0]) / scale

    def curve(index: int) -> FloatArray:
        near, last = (np.clip(x - places[each], 0, None) ** 3 for each in (index, -1))
        part: FloatArray = (near - last) / (places[-1] - places[index])
        return part

    columns = [x] + [curve(index) - curve(len(places) - 2) for index in range(len(places) - 2)]
    return np.stack(columns, axis=1)
